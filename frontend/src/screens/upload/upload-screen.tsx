import { Alert, Button, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core'
import { Dropzone } from '@mantine/dropzone'
import { IconAlertTriangle, IconCamera, IconFolderOpen, IconUpload } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import type { Modes, Tasks } from '../../api/client'
import { useWords } from '../../i18n/translation'
import { ACCEPT, type Refusal } from '../../lib/files'
import { bytes, number, percent } from '../../lib/format'
import { FilePicker } from '../../ui/file-picker'
import { useShortcuts } from '../../ui/use-shortcuts'
import { Ask, type Asked } from './options-form'
import styles from './upload.module.css'

export type Sending = { name: string; fraction: number; cancel: () => void }

/** The start: give a document, say how it is to be read. */
export function UploadScreen(props: {
  modes: Modes | undefined
  can: Tasks
  hasJobs: boolean
  asked: Asked
  onAsk: (asked: Asked) => void
  onFiles: (files: File[]) => void
  refused: Refusal[]
  most: number
  sending: Sending | null
}) {
  const { words, language } = useWords()
  const { modes, sending } = props
  const open = useRef<() => void>(null)
  const folder = useRef<HTMLInputElement>(null)
  const camera = useRef<HTMLInputElement>(null)
  useShortcuts({ o: () => open.current?.() })
  const limits = modes?.limits
  return (
    <div className={styles.screen}>
      <Dropzone
        className={styles.drop}
        openRef={open}
        onDrop={props.onFiles}
        onReject={(rejected) => props.onFiles(rejected.map(({ file }) => file))}
        activateOnClick={false}
        activateOnKeyboard={false}
        enablePointerEvents
        tabIndex={-1}
        role="group"
        aria-label={words.drop.title}
        inputProps={{ 'aria-label': words.drop.title, accept: ACCEPT, 'aria-hidden': true }}
        onClick={(event) => {
          if (event.target instanceof Element && !event.target.closest('button, input')) {
            open.current?.()
          }
        }}
      >
        <Stack align="center" gap="md" ta="center">
          <div className={styles.sheets} aria-hidden>
            <span />
            <span />
            <span>
              <i />
              <i />
              <i />
              <i />
            </span>
          </div>
          <div>
            <Title order={1} size="h2">
              {words.drop.title}
            </Title>
            <Text c="dimmed" mt={4}>
              {words.drop.hint}
            </Text>
          </div>
          <Group justify="center" gap="sm">
            <Button size="md" leftSection={<IconUpload size={18} />} onClick={() => open.current?.()}>
              {words.drop.choose}
            </Button>
            {props.hasJobs && (
              <Button
                size="md"
                variant="default"
                visibleFrom="sm"
                leftSection={<IconFolderOpen size={18} />}
                onClick={() => folder.current?.click()}
              >
                {words.drop.folder}
              </Button>
            )}
            <Button
              size="md"
              variant="default"
              hiddenFrom="sm"
              leftSection={<IconCamera size={18} />}
              onClick={() => camera.current?.click()}
            >
              {words.drop.camera}
            </Button>
          </Group>
          {limits && (
            <Text size="sm" c="dimmed">
              {words.drop.limits(number(limits.maxImageMb, language, 1), limits.maxPages)}{' '}
              {props.hasJobs &&
                words.drop.jobs(
                  number(limits.maxJobMb, language),
                  number(limits.maxJobPages, language),
                )}
            </Text>
          )}
        </Stack>
      </Dropzone>
      <FilePicker ref={folder} label={words.drop.folder} folder onFiles={props.onFiles} />
      <FilePicker ref={camera} label={words.drop.camera} camera onFiles={props.onFiles} />
      {sending !== null && <SendingBar {...sending} />}
      {props.refused.length > 0 && (
        <Alert color="orange" icon={<IconAlertTriangle />} role="alert" c="var(--mantine-color-text)">
          {props.refused.slice(0, 8).map(({ why, name, size }) => (
            <div key={name}>
              {why === 'tooLarge'
                ? words.drop.tooLarge(name, bytes(size, language), bytes(props.most, language))
                : words.drop[why](name)}
            </div>
          ))}
        </Alert>
      )}
      {modes && <Ask modes={modes} can={props.can} asked={props.asked} onAsk={props.onAsk} />}
    </div>
  )
}

function SendingBar({ name, fraction, cancel }: Sending) {
  const { words, language } = useWords()
  const bar = useRef<HTMLDivElement>(null)
  useEffect(() => {
    bar.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  return (
    <Paper ref={bar} withBorder p="md">
      <Group justify="space-between" wrap="nowrap" mb="xs">
        <Text truncate fw={600}>
          {name}
        </Text>
        <Group gap="sm" wrap="nowrap">
          <Text size="sm" role="status">
            {words.upload.sending(percent(fraction, language))}
          </Text>
          <Button size="xs" variant="default" onClick={cancel}>
            {words.cancel}
          </Button>
        </Group>
      </Group>
      <Progress value={fraction * 100} animated aria-label={words.upload.sending('')} />
    </Paper>
  )
}
