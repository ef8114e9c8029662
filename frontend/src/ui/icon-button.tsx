import { ActionIcon, Tooltip } from '@mantine/core'
import type { ReactNode } from 'react'

/** A button that is a picture; its label is its name and its tooltip. */
export function IconButton(props: {
  label: string
  onClick?: () => void
  children: ReactNode
  pressed?: boolean
  disabled?: boolean
  size?: 'sm' | 'md' | 'lg'
  className?: string
}) {
  return (
    <Tooltip label={props.label} openDelay={400}>
      <ActionIcon
        variant={props.pressed ? 'light' : 'subtle'}
        color={props.pressed ? undefined : 'gray'}
        c={props.pressed ? undefined : 'var(--mantine-color-text)'}
        size={props.size ?? 'lg'}
        aria-label={props.label}
        aria-pressed={props.pressed}
        disabled={props.disabled}
        onClick={props.onClick}
        className={props.className}
      >
        {props.children}
      </ActionIcon>
    </Tooltip>
  )
}
