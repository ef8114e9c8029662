import { Button } from '@mantine/core'
import { IconFileText } from '@tabler/icons-react'
import { useTranslation } from '../i18n/translation'

/** Reads a page that comes with the page, to see what the service does. */
export function SampleButton({ onFiles }: { onFiles: (files: File[]) => void }) {
  const { t } = useTranslation()
  const read = async () => {
    const { samplePage } = await import('../lib/sample-page')
    onFiles([await samplePage()])
  }
  return (
    <Button variant="subtle" leftSection={<IconFileText size={18} />} onClick={() => void read()}>
      {t.reading.sample}
    </Button>
  )
}
