import { Button, CloseButton, Group, Menu, SegmentedControl, Text, TextInput } from '@mantine/core'
import { IconChevronDown, IconCopy, IconSearch } from '@tabler/icons-react'
import type { Ref } from 'react'
import { useWords } from '../i18n/translation'
import { TABS, type Tab } from '../lib/route'
import { DownloadMenu } from '../ui/download-menu'

export type Copyable = { key: string; label: string; copy: () => void }
export type Downloadable = { key: string; label: string; download: (scope: Scope) => void }
export type Scope = 'page' | 'document'

export function Tabs({ tab, onTab }: { tab: Tab; onTab: (tab: Tab) => void }) {
  const { words } = useWords()
  return (
    <SegmentedControl
      size="xs"
      aria-label={words.viewer.result}
      value={tab}
      onChange={(value) => onTab(TABS.find((known) => known === value) ?? 'rendered')}
      data={TABS.map((value) => ({ value, label: words.viewer.tabs[value] }))}
    />
  )
}

export function Find(props: {
  input: Ref<HTMLInputElement>
  value: string
  onChange: (value: string) => void
  count: number
}) {
  const { words } = useWords()
  return (
    <TextInput
      ref={props.input}
      size="xs"
      w={{ base: 130, sm: 190 }}
      type="search"
      aria-label={words.viewer.find}
      placeholder={words.viewer.find}
      leftSection={<IconSearch size={14} />}
      rightSectionWidth={props.value === '' ? 0 : 92}
      rightSection={
        props.value !== '' && (
          <Group gap={2} wrap="nowrap" justify="flex-end" w="100%">
            <Text size="xs" role="status">
              {words.viewer.found(props.count)}
            </Text>
            <CloseButton size="xs" aria-label={words.close} onClick={() => props.onChange('')} />
          </Group>
        )
      }
      value={props.value}
      onChange={(event) => props.onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        props.onChange('')
        event.currentTarget.blur()
      }}
    />
  )
}

export function Out(props: { copies: Copyable[]; downloads: Downloadable[]; pages: number }) {
  const { words } = useWords()
  return (
    <Group gap="xs" wrap="nowrap">
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconCopy size={15} />}
            rightSection={<IconChevronDown size={14} />}
          >
            {words.out.copy}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {props.copies.map(({ key, label, copy }) => (
            <Menu.Item key={key} onClick={copy}>
              {label}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <DownloadMenu label={words.out.download} position="bottom-end">
        {props.pages > 1 && <Menu.Label>{words.out.document}</Menu.Label>}
        {props.downloads.map(({ key, label, download }) => (
          <Menu.Item key={key} onClick={() => download('document')}>
            {label}
          </Menu.Item>
        ))}
        {props.pages > 1 && <Menu.Label>{words.out.page}</Menu.Label>}
        {props.pages > 1 &&
          props.downloads.map(({ key, label, download }) => (
            <Menu.Item key={key} onClick={() => download('page')}>
              {label}
            </Menu.Item>
          ))}
      </DownloadMenu>
    </Group>
  )
}
