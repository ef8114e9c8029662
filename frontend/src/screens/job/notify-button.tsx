import { Button } from '@mantine/core'
import { IconBell } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from '../../i18n/translation'
import { canNotify } from './use-page-title'

/** Asks once whether the page may tell when a document is read. */
export function NotifyButton() {
  const { t } = useTranslation()
  const [permission, setPermission] = useState(canNotify() ? Notification.permission : 'denied')
  if (permission !== 'default') return null
  return (
    <Button
      size="compact-xs"
      variant="subtle"
      leftSection={<IconBell size={14} />}
      onClick={() => void Notification.requestPermission().then(setPermission)}
    >
      {t.reading.notify}
    </Button>
  )
}
