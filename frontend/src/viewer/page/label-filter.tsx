import { ActionIcon, Checkbox, Popover, Stack, Tooltip } from '@mantine/core'
import { IconStack2 } from '@tabler/icons-react'
import { useTranslation } from '../../i18n/translation'
import { colorOf } from '../../lib/block-labels'

/** Selects which labels have visible boxes. */
export function LabelFilter(props: {
  labels: string[]
  hidden: ReadonlySet<string>
  onHide: (hidden: ReadonlySet<string>) => void
}) {
  const { t } = useTranslation()
  const allShown = props.labels.every((label) => !props.hidden.has(label))
  function toggle(label: string) {
    const hidden = new Set(props.hidden)
    if (!hidden.delete(label)) hidden.add(label)
    props.onHide(hidden)
  }
  return (
    <Popover position="top" shadow="md" trapFocus>
      <Popover.Target>
        <Tooltip label={t.viewer.labels} openDelay={400}>
          <ActionIcon
            size="lg"
            variant={allShown ? 'subtle' : 'light'}
            color="gray"
            c="var(--mantine-color-text)"
            aria-label={t.viewer.labels}
          >
            <IconStack2 size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <Checkbox
            label={t.viewer.boxes}
            checked={allShown}
            indeterminate={!allShown && props.labels.some((label) => !props.hidden.has(label))}
            onChange={() => props.onHide(allShown ? new Set(props.labels) : new Set())}
          />
          {props.labels.map((label) => (
            <Checkbox
              key={label}
              color={colorOf(label)}
              label={t.labels[label] ?? label}
              checked={!props.hidden.has(label)}
              onChange={() => toggle(label)}
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
