import { Button, Center, Stack, Text, ThemeIcon, Title } from '@mantine/core'
import type { ReactNode } from 'react'

/** A screen with one message and at most one action. */
export function FullScreenMessage(props: {
  icon: ReactNode
  title: string
  hint?: string
  action?: { label: string; onClick: () => void }
  color?: string
}) {
  return (
    <Center p="xl" mih="50vh">
      <Stack align="center" gap="sm" maw={480} ta="center">
        <ThemeIcon size={56} radius="xl" variant="light" color={props.color ?? 'gray'}>
          {props.icon}
        </ThemeIcon>
        <Title order={1} size="h3">
          {props.title}
        </Title>
        {props.hint && <Text c="dimmed">{props.hint}</Text>}
        {props.action && (
          <Button variant="light" onClick={props.action.onClick}>
            {props.action.label}
          </Button>
        )}
      </Stack>
    </Center>
  )
}
