import { Button, Checkbox, Group, Stack, Text, Title } from '@mantine/core'
import { Dropzone } from '@mantine/dropzone'
import { IconCamera, IconFolderOpen, IconUpload } from '@tabler/icons-react'
import { useRef } from 'react'
import type { Modes, SupportedTasks } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { ACCEPT } from '../../lib/files'
import { number } from '../../lib/format'
import { FilePicker } from '../../ui/file-picker'
import { useShortcuts } from '../../ui/use-shortcuts'
import { OptionsForm, type FormOptions } from './options-form'
import styles from './upload.module.css'

/** The start screen: files, and the options of the recognition. */
export function UploadScreen(props: {
  modes: Modes | undefined
  supportedTasks: SupportedTasks
  options: FormOptions
  onOptions: (options: FormOptions) => void
  onFiles: (files: File[]) => void
  together: boolean
  onTogether: (together: boolean) => void
}) {
  const { t } = useTranslation()
  const { modes, onFiles } = props
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
            onFolder={() => folder.current?.click()}
            onCamera={() => camera.current?.click()}
          />
          {modes && <LimitsHint limits={modes.limits} />}
        </Stack>
      </Dropzone>
      <FilePicker ref={folder} label={t.upload.chooseFolder} folder onFiles={onFiles} />
      <FilePicker ref={camera} label={t.upload.takePhoto} camera onFiles={onFiles} />
      <Checkbox
        label={t.upload.together}
        checked={props.together}
        onChange={(event) => props.onTogether(event.currentTarget.checked)}
      />
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
  onFolder: () => void
  onCamera: () => void
}) {
  const { t } = useTranslation()
  return (
    <Group justify="center" gap="sm">
      <Button size="md" leftSection={<IconUpload size={18} />} onClick={props.onFiles}>
        {t.upload.chooseFiles}
      </Button>
      <Button
        size="md"
        variant="default"
        visibleFrom="sm"
        leftSection={<IconFolderOpen size={18} />}
        onClick={props.onFolder}
      >
        {t.upload.chooseFolder}
      </Button>
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

function LimitsHint({ limits }: { limits: Modes['limits'] }) {
  const { t, language } = useTranslation()
  return (
    <Text size="sm" c="dimmed">
      {t.upload.limits(number(limits.maxJobMb, language), number(limits.maxJobPages, language))}
    </Text>
  )
}
