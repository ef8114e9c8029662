import { Group, Text, TextInput } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from '../i18n/translation'
import { IconButton } from '../ui/icon-button'

/** The previous and the next page, and a field for the number of any page. */
export function PageSwitch(props: { index: number; total: number; onPage: (index: number) => void }) {
  const { t } = useTranslation()
  const { index, total, onPage } = props
  const [typed, setTyped] = useState<string | null>(null)

  function go() {
    const number = Number(typed)
    if (typed !== null && typed.trim() !== '' && Number.isInteger(number))
      onPage(Math.min(total, Math.max(1, number)) - 1)
    setTyped(null)
  }

  return (
    <Group gap={2} wrap="nowrap">
      <IconButton label={t.viewer.previous} disabled={index === 0} onClick={() => onPage(index - 1)}>
        <IconChevronLeft size={18} />
      </IconButton>
      <TextInput
        size="xs"
        w={`${Math.max(3, String(total).length + 2)}ch`}
        miw={34}
        styles={{ input: { textAlign: 'center', paddingInline: 2 } }}
        inputMode="numeric"
        aria-label={t.reading.pageNumber}
        value={typed ?? String(index + 1)}
        onFocus={(event) => event.currentTarget.select()}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onBlur={go}
        onKeyDown={(event) => {
          if (event.key === 'Enter') go()
          if (event.key === 'Escape') setTyped(null)
        }}
      />
      <Text size="sm" style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }}>
        / {total}
      </Text>
      <IconButton label={t.viewer.next} disabled={index >= total - 1} onClick={() => onPage(index + 1)}>
        <IconChevronRight size={18} />
      </IconButton>
    </Group>
  )
}
