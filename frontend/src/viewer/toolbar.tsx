import { Button, CloseButton, Group, Menu, SegmentedControl, Text, TextInput } from '@mantine/core'
import { IconChevronDown, IconChevronUp, IconCopy, IconSearch } from '@tabler/icons-react'
import { useMemo, useState, type Ref } from 'react'
import { useTranslation } from '../i18n/translation'
import { TABS, type Tab } from '../lib/route'
import { DownloadMenu, patternsOf } from '../ui/download-menu'
import { IconButton } from '../ui/icon-button'

export type ExportScope = 'page' | 'document'
export type CopyAction = { key: string; label: string; copy: () => void }
/** `disabled`: the result lacks what the format needs. `redact`: patterns of what is taken out. */
export type DownloadAction = {
  key: string
  label: string
  disabled: boolean
  download: (scope: ExportScope, redact: string[]) => void
}

export function ViewTabs({ tab, onTab }: { tab: Tab; onTab: (tab: Tab) => void }) {
  const { t } = useTranslation()
  return (
    <SegmentedControl
      size="xs"
      aria-label={t.viewer.result}
      value={tab}
      onChange={(value) => onTab(TABS.find((known) => known === value) ?? 'rendered')}
      data={TABS.map((value) => ({ value, label: t.viewer.tabs[value] }))}
    />
  )
}

/** Finds text on all pages; Enter goes to the next match, Shift and Enter to the previous one. */
export function SearchField(props: {
  input: Ref<HTMLInputElement>
  value: string
  onChange: (value: string) => void
  place: number
  total: number
  onStep: (direction: 1 | -1) => void
}) {
  const { t } = useTranslation()
  const { value, total } = props
  return (
    <Group gap={2} wrap="nowrap">
      <TextInput
        ref={props.input}
        size="xs"
        w={{ base: 150, sm: 210 }}
        type="search"
        aria-label={t.viewer.search}
        placeholder={t.viewer.search}
        leftSection={<IconSearch size={14} />}
        rightSectionWidth={value === '' ? 0 : 84}
        rightSection={
          value !== '' && (
            <Group gap={2} wrap="nowrap" justify="flex-end" w="100%">
              <Text size="xs" role="status">
                {t.viewer.matches(props.place, total)}
              </Text>
              <CloseButton size="xs" aria-label={t.close} onClick={() => props.onChange('')} />
            </Group>
          )
        }
        value={value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') props.onStep(event.shiftKey ? -1 : 1)
          if (event.key !== 'Escape') return
          props.onChange('')
          event.currentTarget.blur()
        }}
      />
      {value !== '' && (
        <>
          <IconButton size="sm" label={t.viewer.previousMatch} disabled={total === 0} onClick={() => props.onStep(-1)}>
            <IconChevronUp size={16} />
          </IconButton>
          <IconButton size="sm" label={t.viewer.nextMatch} disabled={total === 0} onClick={() => props.onStep(1)}>
            <IconChevronDown size={16} />
          </IconButton>
        </>
      )}
    </Group>
  )
}

/** The menus to copy the page and to download the page or the document. */
export function ExportMenus(props: {
  copies: () => CopyAction[]
  downloads: DownloadAction[]
  pages: number
  /** The page has no text yet: the document alone can be downloaded, if it has others. */
  disabled: boolean
}) {
  const { t } = useTranslation()
  const [redact, setRedact] = useState('')
  const several = props.pages > 1
  const items = (scope: ExportScope) =>
    props.downloads.map(({ key, label, disabled, download }) => (
      <Menu.Item key={key} disabled={disabled || (scope === 'page' && props.disabled)} onClick={() => download(scope, patternsOf(redact))}>
        {label}
      </Menu.Item>
    ))
  return (
    <Group gap="xs" wrap="nowrap">
      <CopyMenu copies={props.copies} disabled={props.disabled} />
      <DownloadMenu
        label={t.export.download}
        position="bottom-end"
        disabled={props.disabled && !several}
        redact={redact}
        onRedact={setRedact}
      >
        {several && <Menu.Label>{t.export.document}</Menu.Label>}
        {items('document')}
        {several && <Menu.Label>{t.export.page}</Menu.Label>}
        {several && items('page')}
      </DownloadMenu>
    </Group>
  )
}

function CopyMenu({ copies, disabled }: { copies: () => CopyAction[]; disabled: boolean }) {
  const { t } = useTranslation()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          disabled={disabled}
          leftSection={<IconCopy size={15} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {t.export.copy}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <CopyItems copies={copies} />
      </Menu.Dropdown>
    </Menu>
  )
}

/** Made when the menu opens: the page is searched for tables. */
function CopyItems({ copies }: { copies: () => CopyAction[] }) {
  const actions = useMemo(copies, [copies])
  return actions.map(({ key, label, copy }) => (
    <Menu.Item key={key} onClick={copy}>
      {label}
    </Menu.Item>
  ))
}
