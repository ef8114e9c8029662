import { Group, Text, TextInput } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import { useLayoutEffect, useRef } from 'react'
import { useTranslation } from '../i18n/translation'
import { IconButton } from '../ui/icon-button'

/** The previous and the next page, and a field for the number of any page. */
export function PageSwitch(props: { index: number; total: number; onPage: (index: number) => void }) {
  const { t } = useTranslation()
  const { index, total, onPage } = props

  return (
    <Group gap={2} wrap="nowrap">
      <IconButton label={t.viewer.previous} disabled={index === 0} onClick={() => onPage(index - 1)}>
        <IconChevronLeft size={18} />
      </IconButton>
      <PageNumber {...props} />
      <Text size="sm" style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }}>
        / {total}
      </Text>
      <IconButton label={t.viewer.next} disabled={index >= total - 1} onClick={() => onPage(index + 1)}>
        <IconChevronRight size={18} />
      </IconButton>
    </Group>
  )
}

/** The pages may still scroll while the user goes to the field: its number follows them, and what was
 * selected to be replaced stays selected. */
function PageNumber({ index, total, onPage }: { index: number; total: number; onPage: (index: number) => void }) {
  const { t } = useTranslation()
  const input = useRef<HTMLInputElement>(null)
  const isTyped = useRef(false)

  function show(page: number) {
    const field = input.current
    if (field === null) return
    const { selectionStart, selectionEnd, value } = field
    const isSelected = document.activeElement === field && selectionStart === 0 && selectionEnd === value.length
    isTyped.current = false
    field.value = String(page + 1)
    if (isSelected) field.select()
  }
  useLayoutEffect(() => {
    if (!isTyped.current) show(index)
  }, [index])

  function go() {
    const text = input.current?.value.trim() ?? ''
    const number = Number(text)
    const isNumber = isTyped.current && text !== '' && Number.isInteger(number)
    const page = isNumber ? Math.min(total, Math.max(1, number)) - 1 : index
    show(page)
    if (page !== index) onPage(page)
  }

  return (
    <TextInput
      ref={input}
      size="xs"
      w={`${Math.max(3, String(total).length + 2)}ch`}
      miw={34}
      styles={{ input: { textAlign: 'center', paddingInline: 2 } }}
      inputMode="numeric"
      aria-label={t.reading.pageNumber}
      onFocus={(event) => event.currentTarget.select()}
      onChange={() => (isTyped.current = true)}
      onBlur={go}
      onKeyDown={(event) => {
        if (event.key === 'Enter') go()
        if (event.key === 'Escape') show(index)
      }}
    />
  )
}
