import { Button, Group, Progress, Text } from '@mantine/core'
import { useTranslation } from '../../i18n/translation'
import { duration, percent } from '../../lib/format'
import type { Recognition } from './use-recognition'

type Props = { recognition: Recognition; onSave?: (file: File) => void }

/** The progress of the upload and of the recognition; after its end, the duration. */
export function ResultStatus({ recognition, onSave }: Props) {
  const { t } = useTranslation()
  const { phase, result } = recognition
  if (phase === 'cancelled') return <Text size="xs">{t.status.cancelled}</Text>
  if (phase === 'done' && result.response !== null) {
    const seconds = result.response.durationMs / 1000
    return <Finished seconds={seconds} file={recognition.request?.file} onSave={onSave} />
  }
  return <Running recognition={recognition} />
}

function Finished(props: { seconds: number; file?: File; onSave?: (file: File) => void }) {
  const { t, language } = useTranslation()
  const { file, onSave } = props
  return (
    <Group gap="xs">
      <Text size="xs" c="dimmed" role="status">
        {t.status.finishedIn(duration(props.seconds, language))}
      </Text>
      {onSave && file && (
        <Button
          size="compact-xs"
          variant="subtle"
          title={t.status.unsavedResult}
          onClick={() => onSave(file)}
        >
          {t.status.saveToHistory}
        </Button>
      )}
    </Group>
  )
}

function Running({ recognition }: { recognition: Recognition }) {
  const { t, language } = useTranslation()
  const { phase, uploaded, result } = recognition
  const uploading = phase === 'uploading' && uploaded < 1
  const started = result.pages.length > 0
  const label = uploading
    ? t.upload.progress(percent(uploaded, language))
    : started
      ? t.status.processing
      : t.status.waitingForFirstPage
  return (
    <Group gap="sm" wrap="nowrap" maw={460}>
      <Text size="xs" c="dimmed" role="status">
        {label}
      </Text>
      <Progress
        aria-label={label}
        value={uploading ? uploaded * 100 : 100}
        animated={!uploading}
        style={{ flex: 1 }}
        miw={60}
      />
      <Button size="compact-xs" variant="default" onClick={recognition.cancel}>
        {t.cancel}
      </Button>
    </Group>
  )
}
