import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconRefresh, IconRotate2, IconRotateClockwise2 } from '@tabler/icons-react'
import { useTranslation } from '../i18n/translation'

/** Another mode or prompt to retry a page with, or another side of it to be up. */
export type RetryOption = {
  key: string
  label: string
  hint?: string
  mode: string
  prompt: string
  /** Degrees clockwise by which the page of the file is turned; without it as it is now. */
  rotation?: number
}

export function RetryMenu(props: {
  options: RetryOption[]
  onRetry: (option: RetryOption) => void
  disabled?: boolean
}) {
  const { t } = useTranslation()
  return (
    <Menu position="bottom-start" width={300}>
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          disabled={props.disabled}
          leftSection={<IconRefresh size={14} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {t.viewer.retry}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah="60vh" style={{ overflowY: 'auto' }}>
        {props.options.map((option) => (
          <Menu.Item key={option.key} leftSection={iconOf(option)} onClick={() => props.onRetry(option)}>
            <div>{option.label}</div>
            {option.hint !== undefined && <div style={{ fontSize: '0.8em', opacity: 0.8 }}>{option.hint}</div>}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function iconOf({ key }: RetryOption) {
  if (key === 'turn-left') return <IconRotate2 size={16} />
  return key.startsWith('turn-') ? <IconRotateClockwise2 size={16} /> : undefined
}
