import { ActionIcon, Tooltip } from '@mantine/core'
import type { ComponentPropsWithRef, ReactNode } from 'react'

type Props = Omit<ComponentPropsWithRef<'button'>, 'style'> & {
  label: string
  children: ReactNode
  pressed?: boolean
  size?: 'sm' | 'md' | 'lg'
}

/** A button with an icon; the label is its accessible name and its tooltip. */
export function IconButton({ label, children, pressed, size = 'lg', color: _, ...rest }: Props) {
  return (
    <Tooltip label={label} openDelay={400}>
      <ActionIcon
        {...rest}
        variant={pressed ? 'light' : 'subtle'}
        color={pressed ? undefined : 'gray'}
        c={pressed ? undefined : 'var(--mantine-color-text)'}
        size={size}
        aria-label={label}
        aria-pressed={pressed}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  )
}
