import { Button, Code, Modal, Stack } from '@mantine/core'
import { hasApiKey, serviceUrl, type Job } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { curlCommands } from '../../lib/curl'
import { copyText } from '../copy-actions'

/** The commands that do for a terminal what the page did. */
export function CurlDialog({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t } = useTranslation()
  const { jobId, mode, prompt } = job
  const files = job.files.map(({ fileName }) => fileName)
  const request = { url: serviceUrl(), jobId, files, fields: { mode, prompt }, key: hasApiKey() }
  const text = curlCommands(request).join('\n')
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t.reading.curl}
      closeButtonProps={{ 'aria-label': t.close }}
    >
      <Stack>
        <Code block tabIndex={0}>
          {text}
        </Code>
        <Button onClick={() => void copyText(text, t)}>{t.export.copy}</Button>
      </Stack>
    </Modal>
  )
}
