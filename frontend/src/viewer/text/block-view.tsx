import { Button, Group, Textarea } from '@mantine/core'
import { IconArrowBackUp, IconPencil } from '@tabler/icons-react'
import { memo, useState } from 'react'
import { useWords } from '../../i18n/translation'
import { percent } from '../../lib/format'
import type { Size } from '../../lib/geometry'
import { colourOf, isFigure, isUnsure } from '../../lib/block-labels'
import type { Item } from '../../lib/result'
import { IconButton } from '../../ui/icon-button'
import styles from './block-view.module.css'
import { Figure } from './figure'
import { MarkdownView } from './markdown-view'
import type { Pointing } from '../use-block-selection'
import type { Picture } from '../page/use-page-image'

const FURNITURE = ['header', 'footer', 'page_number', 'footnote']

/** One block of a page as text: points at its box, and can be corrected in place. */
export const Block = memo(function Block(props: {
  item: Item
  active: boolean
  found: boolean
  corrected: boolean
  editing: boolean
  picture: Picture
  page: Size
  hover: Pointing['hover']
  pick: Pointing['pick']
  onEdit: ((id: number | null) => void) | undefined
  onCorrect: (id: number, text: string | null) => void
}) {
  const { words, language } = useWords()
  const { item, onEdit } = props
  const unsure = isUnsure(item.confidence)
  const sure = unsure ? words.viewer.unsure(percent(item.confidence ?? 0, language)) : undefined
  return (
    <div
      className={styles.block}
      style={{ '--colour': `var(--mantine-color-${colourOf(item.label)}-filled)` }}
      data-block={item.id}
      data-active={props.active || undefined}
      data-found={props.found || undefined}
      data-unsure={unsure || undefined}
      data-small={FURNITURE.includes(item.label) || undefined}
      title={sure}
      onMouseEnter={() => props.hover(item.id)}
      onMouseLeave={() => props.hover(null)}
      onClick={() => props.pick(item.id, 'text')}
      onDoubleClick={() => onEdit?.(item.id)}
    >
      {props.editing ? (
        <Editor
          item={item}
          onDone={(text) => {
            if (text !== undefined && text !== item.text) props.onCorrect(item.id, text)
            onEdit?.(null)
          }}
        />
      ) : (
        <>
          {isFigure(item.label) && (
            <Figure item={item} picture={props.picture} page={props.page} />
          )}
          <MarkdownView markdown={item.text} />
          {props.corrected && <span className={styles.corrected}>{words.viewer.corrected}</span>}
          {onEdit && (
            <div className={styles.tools}>
              <IconButton size="sm" label={words.viewer.edit} onClick={() => onEdit(item.id)}>
                <IconPencil size={16} />
              </IconButton>
              {props.corrected && (
                <IconButton
                  size="sm"
                  label={words.viewer.undo}
                  onClick={() => props.onCorrect(item.id, null)}
                >
                  <IconArrowBackUp size={16} />
                </IconButton>
              )}
            </div>
          )}
        </>
      )}
    </div>
  )
})

function Editor({ item, onDone }: { item: Item; onDone: (text?: string) => void }) {
  const { words } = useWords()
  const [text, setText] = useState(item.text)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        onDone(text)
      }}
    >
      <Textarea
        autosize
        minRows={1}
        maxRows={20}
        data-autofocus
        autoFocus
        dir="auto"
        aria-label={words.viewer.editBlock(item.id + 1)}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          event.stopPropagation()
          if (event.key === 'Escape') onDone()
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) onDone(text)
        }}
      />
      <Group gap="xs" mt="xs">
        <Button size="xs" type="submit">
          {words.viewer.save}
        </Button>
        <Button size="xs" variant="default" onClick={() => onDone()}>
          {words.cancel}
        </Button>
      </Group>
    </form>
  )
}
