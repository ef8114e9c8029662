import { Alert, Button, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core'
import { Dropzone } from '@mantine/dropzone'
import { IconAlertTriangle, IconCamera, IconFolderOpen, IconUpload } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import type { Modes, SupportedTasks } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { ACCEPT, type Rejection } from '../../lib/files'
import { bytes, number, percent } from '../../lib/format'
import { FilePicker } from '../../ui/file-picker'
import { useShortcuts } from '../../ui/use-shortcuts'
import { OptionsForm, type FormOptions } from './options-form'
import styles from './upload.module.css'

export type UploadProgress = { name: string; fraction: number; cancel: () => void }

/** The start screen: files, and the options of the recognition. */
export function UploadScreen(props: {
  modes: Modes | undefined
  supportedTasks: SupportedTasks
  hasJobs: boolean
  options: FormOptions
  onOptions: (options: FormOptions) => void
  onFiles: (files: File[]) => void
  rejected: Rejection[]
  maxBytes: number
  upload: UploadProgress | null
}) {
  const { t } = useTranslation()
  const { modes, upload, hasJobs, onFiles } = props
  const open = useRef<() => void>(null)
  const folder = useRef<HTMLInputElement>(null)
  const camera = useRef<HTMLInputElement>(null)
  useShortcuts({ o: () => open.current?.() })
  return (
    <div className={styles.screen}>
      <Dropzone
        className={styles.drop}
        openRef={open}
        onDrop={onFiles}
        onReject={(rejections) => onFiles(rejections.map(({ file }) => file))}
        activateOnClick={false}
        activateOnKeyboard={false}
        enablePointerEvents
        tabIndex={-1}
        role="group"
        aria-label={t.upload.title}
        inputProps={{ 'aria-label': t.upload.title, accept: ACCEPT, 'aria-hidden': true }}
        onClick={(event) => {
          if (event.target instanceof Element && !event.target.closest('button, input')) {
            open.current?.()
          }
        }}
      >
        <Stack align="center" gap="md" ta="center">
          <Illustration />
          <div>
            <Title order={1} size="h2">
              {t.upload.title}
            </Title>
            <Text c="dimmed" mt={4}>
              {t.upload.hint}
            </Text>
          </div>
          <SourceButtons
            onFiles={() => open.current?.()}
            onFolder={hasJobs ? () => folder.current?.click() : undefined}
            onCamera={() => camera.current?.click()}
          />
          {modes && <LimitsHint limits={modes.limits} hasJobs={hasJobs} />}
        </Stack>
      </Dropzone>
      <FilePicker ref={folder} label={t.upload.chooseFolder} folder onFiles={onFiles} />
      <FilePicker ref={camera} label={t.upload.takePhoto} camera onFiles={onFiles} />
      {upload !== null && <UploadBar {...upload} />}
      {props.rejected.length > 0 && <RejectedFiles rejected={props.rejected} maxBytes={props.maxBytes} />}
      {modes && (
        <OptionsForm
          modes={modes}
          supportedTasks={props.supportedTasks}
          options={props.options}
          onOptions={props.onOptions}
        />
      )}
    </div>
  )
}

/** Three stacked sheets of paper. */
function Illustration() {
  return (
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
  )
}

/** Buttons for files, and for a whole folder or, on a narrow screen, the camera. */
function SourceButtons(props: {
  onFiles: () => void
  onFolder: (() => void) | undefined
  onCamera: () => void
}) {
  const { t } = useTranslation()
  return (
    <Group justify="center" gap="sm">
      <Button size="md" leftSection={<IconUpload size={18} />} onClick={props.onFiles}>
        {t.upload.chooseFiles}
      </Button>
      {props.onFolder && (
        <Button
          size="md"
          variant="default"
          visibleFrom="sm"
          leftSection={<IconFolderOpen size={18} />}
          onClick={props.onFolder}
        >
          {t.upload.chooseFolder}
        </Button>
      )}
      <Button
        size="md"
        variant="default"
        hiddenFrom="sm"
        leftSection={<IconCamera size={18} />}
        onClick={props.onCamera}
      >
        {t.upload.takePhoto}
      </Button>
    </Group>
  )
}

function LimitsHint({ limits, hasJobs }: { limits: Modes['limits']; hasJobs: boolean }) {
  const { t, language } = useTranslation()
  return (
    <Text size="sm" c="dimmed">
      {t.upload.imageLimits(number(limits.maxImageMb, language, 1), limits.maxPages)}{' '}
      {hasJobs &&
        t.upload.jobLimits(number(limits.maxJobMb, language), number(limits.maxJobPages, language))}
    </Text>
  )
}

function RejectedFiles({ rejected, maxBytes }: { rejected: Rejection[]; maxBytes: number }) {
  const { t, language } = useTranslation()
  return (
    <Alert color="orange" icon={<IconAlertTriangle />} role="alert" c="var(--mantine-color-text)">
      {rejected.slice(0, 8).map(({ reason, name, size }) => (
        <div key={name}>
          {reason === 'tooLarge'
            ? t.upload.tooLarge(name, bytes(size, language), bytes(maxBytes, language))
            : t.upload[reason](name)}
        </div>
      ))}
    </Alert>
  )
}

function UploadBar({ name, fraction, cancel }: UploadProgress) {
  const { t, language } = useTranslation()
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
            {t.upload.progress(percent(fraction, language))}
          </Text>
          <Button size="xs" variant="default" onClick={cancel}>
            {t.cancel}
          </Button>
        </Group>
      </Group>
      <Progress value={fraction * 100} animated aria-label={t.upload.progress('')} />
    </Paper>
  )
}
