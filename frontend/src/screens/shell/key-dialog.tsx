import { Button, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { memo, useEffect, useState } from 'react'
import { onUnauthorized, setApiKey } from '../../api/client'
import { useTranslation } from '../../i18n/translation'

/** Asks for an API key after a 401 response. */
export const KeyDialog = memo(function KeyDialog({ onKey }: { onKey: () => void }) {
  const { t } = useTranslation()
  const [opened, setOpened] = useState(false)
  const [submitted, setSubmitted] = useState(false)
  const [key, setKey] = useState('')
  useEffect(() => {
    const unsubscribe = onUnauthorized(() => setOpened(true))
    return () => void unsubscribe()
  }, [])
  return (
    <Modal opened={opened} onClose={() => undefined} withCloseButton={false} title={t.apiKey.title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          setApiKey(key.trim())
          setSubmitted(true)
          setOpened(false)
          onKey()
        }}
      >
        <Stack>
          <Text size="sm">{t.apiKey.hint}</Text>
          <PasswordInput
            label={t.apiKey.label}
            autoComplete="off"
            data-autofocus
            value={key}
            error={submitted ? t.apiKey.rejected : undefined}
            onChange={(event) => {
              setSubmitted(false)
              setKey(event.currentTarget.value)
            }}
          />
          <Button type="submit" disabled={key.trim() === ''}>
            {t.apiKey.continue}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
})
