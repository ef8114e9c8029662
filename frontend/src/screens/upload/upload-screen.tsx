import { Button, Group, Stack, Text, Title } from '@mantine/core'
import { IconCamera, IconFolderOpen, IconUpload } from '@tabler/icons-react'
import { useRef } from 'react'
import type { Modes, SupportedTasks } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { FilePicker } from '../../ui/file-picker'
import { SampleButton } from '../../ui/sample-button'
import { useShortcuts } from '../../ui/use-shortcuts'
import { OptionsForm, type FormOptions } from './options-form'
import { RecentJobs } from './recent-jobs'
import styles from './upload.module.css'

/** The start screen: the document first, then how it is read, then the newest documents. */
export function UploadScreen(props: {
  modes: Modes | undefined
  supportedTasks: SupportedTasks
  options: FormOptions
  onOptions: (options: FormOptions) => void
  onFiles: (files: File[]) => void
  /** Opens the dialog of the browser. */
  onChoose: () => void
  together: boolean
  onTogether: (together: boolean) => void
}) {
  const { t } = useTranslation()
  const { modes, onChoose } = props
  useShortcuts({ o: onChoose })
  return (
    <div className={styles.screen}>
      <div
        className={styles.drop}
        role="group"
        aria-label={t.upload.title}
        onClick={(event) => {
          if (event.target instanceof Element && !event.target.closest('button')) onChoose()
        }}
      >
        <Stack align="center" gap="md" ta="center">
          <Illustration />
          <div>
            <Title order={1} className={styles.title}>
              {t.upload.title}
            </Title>
            <Text c="dimmed" mt={6}>
              {t.upload.hint}
            </Text>
          </div>
          <SourceButtons onFiles={props.onFiles} onChoose={onChoose} />
        </Stack>
      </div>
      {modes && <OptionsForm {...props} modes={modes} />}
      <RecentJobs />
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
function SourceButtons({ onFiles, onChoose }: { onFiles: (files: File[]) => void; onChoose: () => void }) {
  const { t } = useTranslation()
  const folder = useRef<HTMLInputElement>(null)
  const camera = useRef<HTMLInputElement>(null)
  return (
    <Group justify="center" gap="sm">
      <Button size="md" leftSection={<IconUpload size={18} />} onClick={onChoose}>
        {t.upload.chooseFiles}
      </Button>
      <Button
        size="md"
        variant="default"
        visibleFrom="sm"
        leftSection={<IconFolderOpen size={18} />}
        onClick={() => folder.current?.click()}
      >
        {t.upload.chooseFolder}
      </Button>
      <Button
        size="md"
        variant="default"
        hiddenFrom="sm"
        leftSection={<IconCamera size={18} />}
        onClick={() => camera.current?.click()}
      >
        {t.upload.takePhoto}
      </Button>
      <SampleButton onFiles={onFiles} />
      <FilePicker ref={folder} label={t.upload.chooseFolder} folder onFiles={onFiles} />
      <FilePicker ref={camera} label={t.upload.takePhoto} camera onFiles={onFiles} />
    </Group>
  )
}
