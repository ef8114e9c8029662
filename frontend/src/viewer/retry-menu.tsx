import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconRefresh } from '@tabler/icons-react'
import { useTranslation } from '../i18n/translation'

/** Another mode or prompt to retry a page with. */
export type RetryOption = { key: string; label: string; hint: string; mode: string; prompt: string }

export function RetryMenu(props: {
  options: RetryOption[]
  onRetry: (option: RetryOption) => void
}) {
  const { t } = useTranslation()
  return (
    <Menu position="bottom-start" width={300}>
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {t.viewer.retry}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah="60vh" style={{ overflowY: 'auto' }}>
        {props.options.map((option) => (
          <Menu.Item key={option.key} onClick={() => props.onRetry(option)}>
            <div>{option.label}</div>
            <div style={{ fontSize: '0.8em', opacity: 0.8 }}>{option.hint}</div>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
