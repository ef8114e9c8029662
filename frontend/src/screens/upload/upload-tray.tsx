import { Alert, Button, CloseButton, Group, PasswordInput, Progress, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useState } from 'react'
import { ApiError } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import type { Rejection } from '../../lib/files'
import { bytes, percent } from '../../lib/format'
import { errorMessage } from '../error-notifications'
import { filesName } from '../job-name'
import styles from './upload.module.css'
import type { Upload, Uploads } from './use-uploads'

/** Uploads in progress, failed ones and refused files: above every screen, until they are done or
 * taken off. */
export function UploadTray(props: {
  uploads: Uploads
  rejected: Rejection[]
  maxBytes: number
  onDismissRejected: () => void
}) {
  const { t } = useTranslation()
  const { uploads, cancel, retry } = props.uploads
  if (uploads.length === 0 && props.rejected.length === 0) return null
  return (
    <section className={styles.tray} aria-label={t.upload.list}>
      {props.rejected.length > 0 && <RejectedFiles {...props} onClose={props.onDismissRejected} />}
      {uploads.map((upload) =>
        upload.phase === 'failed' ? (
          <FailedUpload
            key={upload.id}
            upload={upload}
            onRetry={(password) => retry(upload.id, password)}
            onClose={() => cancel(upload.id)}
          />
        ) : (
          <UploadBar key={upload.id} upload={upload} onCancel={() => cancel(upload.id)} />
        ),
      )}
    </section>
  )
}

function UploadBar({ upload, onCancel }: { upload: Upload; onCancel: () => void }) {
  const { t, language } = useTranslation()
  const name = filesName(upload.files.map((file) => file.name), t)
  const sending = upload.phase === 'sending'
  const label = sending ? t.upload.progress(percent(upload.fraction, language)) : t.upload.waiting
  return (
    <Group gap="sm" wrap="nowrap">
      <Text truncate fw={600} size="sm" flex={1}>
        {name}
      </Text>
      <Text size="sm" role="status">
        {label}
      </Text>
      <Progress value={upload.fraction * 100} animated={sending} aria-label={t.labeled(name, label)} w={120} />
      <Button size="compact-sm" variant="default" onClick={onCancel}>
        {t.cancel}
      </Button>
    </Group>
  )
}

/** Why an upload failed, and how to go on: with the password of a protected PDF, or once more. */
function FailedUpload(props: {
  upload: Upload
  onRetry: (password?: string) => void
  onClose: () => void
}) {
  const { t } = useTranslation()
  const { error, files } = props.upload
  const name = filesName(files.map((file) => file.name), t)
  const isProtected = error instanceof ApiError && error.code === 'password_required'
  const isWrong = isProtected && Boolean(props.upload.options.password)
  const message = isWrong ? t.errors.wrongPassword : errorMessage(error, t)
  return (
    <Alert
      color={isProtected ? 'blue' : 'red'}
      icon={<IconAlertTriangle />}
      role="alert"
      p="xs"
      c="var(--mantine-color-text)"
    >
      <Group gap="sm" wrap="nowrap" align="flex-start">
        <Group gap="sm" flex={1}>
          <Text size="sm" flex={1} miw="12rem">
            {t.labeled(name, message ?? t.errors.title)}
          </Text>
          {isProtected ? (
            <PasswordForm name={name} onPassword={props.onRetry} />
          ) : (
            <Button size="compact-sm" variant="default" onClick={() => props.onRetry()}>
              {t.tryAgain}
            </Button>
          )}
        </Group>
        <CloseButton aria-label={t.upload.dismiss(name)} onClick={props.onClose} />
      </Group>
    </Alert>
  )
}

function PasswordForm({ name, onPassword }: { name: string; onPassword: (password: string) => void }) {
  const { t } = useTranslation()
  const [password, setPassword] = useState('')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        onPassword(password)
      }}
    >
      <Group gap="xs" wrap="nowrap">
        <PasswordInput
          size="xs"
          w={180}
          autoFocus
          autoComplete="off"
          aria-label={t.upload.passwordFor(name)}
          placeholder={t.options.password}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button size="xs" type="submit" disabled={password === ''}>
          {t.apiKey.continue}
        </Button>
      </Group>
    </form>
  )
}

function RejectedFiles(props: { rejected: Rejection[]; maxBytes: number; onClose: () => void }) {
  const { t, language } = useTranslation()
  const { rejected, maxBytes } = props
  return (
    <Alert
      color="orange"
      p="xs"
      icon={<IconAlertTriangle />}
      title={t.upload.refused(rejected.length)}
      role="alert"
      c="var(--mantine-color-text)"
      withCloseButton
      closeButtonLabel={t.close}
      onClose={props.onClose}
      styles={{ closeButton: { color: 'inherit' } }}
      style={{ flex: 'none' }}
    >
      {rejected.map(({ reason, name, size }, place) => (
        <div key={place}>
          {reason === 'tooLarge'
            ? t.upload.tooLarge(name, bytes(size, language), bytes(maxBytes, language))
            : t.upload[reason](name)}
        </div>
      ))}
    </Alert>
  )
}
