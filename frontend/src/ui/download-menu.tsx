import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconDownload } from '@tabler/icons-react'
import type { ReactNode } from 'react'

/** A button that opens a menu of downloads. */
export function DownloadMenu(props: {
  label: string
  position: 'bottom-start' | 'bottom-end'
  children: ReactNode
}) {
  return (
    <Menu position={props.position} width={240}>
      <Menu.Target>
        <Button
          size="xs"
          leftSection={<IconDownload size={15} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {props.label}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah="70vh" style={{ overflowY: 'auto' }}>
        {props.children}
      </Menu.Dropdown>
    </Menu>
  )
}
