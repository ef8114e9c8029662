import { Button } from '@mantine/core'
import { IconBell } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from '../../i18n/translation'
import styles from './status-button.module.css'
import { canNotify } from './use-page-title'

/** Asks once whether the page may tell when a document is read. */
export function NotifyButton() {
  const { t } = useTranslation()
  const [permission, setPermission] = useState(canNotify() ? Notification.permission : 'denied')
  if (permission !== 'default') return null
  return (
    <Button
      size="compact-xs"
      className={styles.button}
      variant="subtle"
      title={t.reading.notify}
      leftSection={<IconBell size={14} />}
      onClick={() => void Notification.requestPermission().then(setPermission)}
    >
      {t.reading.notify}
    </Button>
  )
}
