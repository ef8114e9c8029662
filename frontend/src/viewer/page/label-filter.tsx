import { ActionIcon, Checkbox, Popover, Stack, Tooltip } from '@mantine/core'
import { IconStack2 } from '@tabler/icons-react'
import { useWords } from '../../i18n/translation'
import { colourOf } from '../../lib/block-labels'

/** Which kinds of boxes are drawn. */
export function LabelFilter(props: {
  labels: string[]
  hidden: ReadonlySet<string>
  onHide: (hidden: ReadonlySet<string>) => void
}) {
  const { words } = useWords()
  const all = props.labels.every((label) => !props.hidden.has(label))
  function toggle(label: string) {
    const hidden = new Set(props.hidden)
    if (!hidden.delete(label)) hidden.add(label)
    props.onHide(hidden)
  }
  return (
    <Popover position="top" shadow="md" trapFocus>
      <Popover.Target>
        <Tooltip label={words.viewer.labels} openDelay={400}>
          <ActionIcon
            size="lg"
            variant={all ? 'subtle' : 'light'}
            color="gray"
            c="var(--mantine-color-text)"
            aria-label={words.viewer.labels}
          >
            <IconStack2 size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <Checkbox
            label={words.viewer.boxes}
            checked={all}
            indeterminate={!all && props.labels.some((label) => !props.hidden.has(label))}
            onChange={() => props.onHide(all ? new Set(props.labels) : new Set())}
          />
          {props.labels.map((label) => (
            <Checkbox
              key={label}
              color={colourOf(label)}
              label={words.labels[label] ?? label}
              checked={!props.hidden.has(label)}
              onChange={() => toggle(label)}
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
