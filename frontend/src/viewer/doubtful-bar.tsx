import { Button, Group, Text } from '@mantine/core'
import { useTranslation } from '../i18n/translation'
import { useShortcuts } from '../ui/use-shortcuts'
import type { useDoubtful } from './use-doubtful'

/** How much is left to compare with the page; the next of it, and that it is right. */
export function DoubtfulBar({ doubtful }: { doubtful: ReturnType<typeof useDoubtful> }) {
  const { t } = useTranslation()
  useShortcuts({ n: doubtful.next, a: doubtful.accept })
  if (doubtful.onPage === 0 && doubtful.otherPages === 0) return null
  return (
    <Group gap="xs" role="group" aria-label={t.reading.doubtful}>
      <Text size="xs" role="status">
        {t.reading.toCheck(doubtful.onPage, doubtful.otherPages)}
      </Text>
      <Button size="compact-xs" variant="default" onClick={doubtful.next}>
        {t.reading.nextDoubtful}
      </Button>
      <Button size="compact-xs" variant="default" disabled={!doubtful.canAccept} onClick={doubtful.accept}>
        {t.reading.accept}
      </Button>
    </Group>
  )
}
