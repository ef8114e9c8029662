import { Button, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import { onLocked, setKey } from '../../api/client'
import { useWords } from '../../i18n/translation'

/** Asks for the key when the service wants one. */
export function KeyDialog({ onKey }: { onKey: () => void }) {
  const { words } = useWords()
  const [asking, setAsking] = useState(false)
  const [tried, setTried] = useState(false)
  const [key, setTyped] = useState('')
  useEffect(() => {
    const stop = onLocked(() => setAsking(true))
    return () => void stop()
  }, [])
  return (
    <Modal opened={asking} onClose={() => undefined} withCloseButton={false} title={words.key.title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          setKey(key.trim())
          setTried(true)
          setAsking(false)
          onKey()
        }}
      >
        <Stack>
          <Text size="sm">{words.key.hint}</Text>
          <PasswordInput
            label={words.key.label}
            autoComplete="off"
            data-autofocus
            value={key}
            error={tried ? words.key.wrong : undefined}
            onChange={(event) => {
              setTried(false)
              setTyped(event.currentTarget.value)
            }}
          />
          <Button type="submit" disabled={key.trim() === ''}>
            {words.key.ok}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
