import { Button, Group, Textarea } from '@mantine/core'
import { IconArrowBackUp, IconCopy, IconLink, IconPencil } from '@tabler/icons-react'
import { memo, useMemo, useRef, useState } from 'react'
import { useTranslation } from '../../i18n/translation'
import { colorOf, isFigure, isLowConfidence } from '../../lib/block-labels'
import { percent } from '../../lib/format'
import type { Size } from '../../lib/geometry'
import type { Block } from '../../lib/result'
import { parseTable } from '../../lib/table-source'
import { IconButton } from '../../ui/icon-button'
import type { PageImage } from '../page/use-page-image'
import type { BlockSelection } from '../use-block-selection'
import styles from './block-view.module.css'
import { CellEditor } from './cell-editor'
import { Figure } from './figure'
import { MarkdownView } from './markdown-view'

/** What can be done with the text of a block, and with its place. */
export type BlockActions = { copy: (text: string) => void; link: (id: number) => void }
const SMALL_PRINT = ['header', 'footer', 'page_number', 'footnote']

/** The text of one block: highlights its box on hover, and can be corrected in place. */
export const BlockView = memo(function BlockView(props: {
  block: Block
  active: boolean
  found: boolean
  corrected: 'corrected' | 'checked' | undefined
  /** A correction that the server does not have, or text that was typed and not saved. */
  pending: 'typed' | 'saved' | undefined
  editing: boolean
  image: PageImage
  page: Size
  hover: BlockSelection['hover']
  select: BlockSelection['select']
  actions: BlockActions | undefined
  onEdit: ((id: number | null) => void) | undefined
  onCorrect: (id: number, text: string | null) => void
  draftOf: (id: number) => string | null | undefined
  onType: (id: number, text: string) => void
  onDiscard: (id: number) => void
}) {
  const { t, language } = useTranslation()
  const { block, onEdit, actions } = props
  const root = useRef<HTMLDivElement>(null)
  const close = () => {
    onEdit?.(null)
    // The button appears when the editor is closed.
    requestAnimationFrame(() => root.current?.querySelector<HTMLElement>('[data-edit]')?.focus())
  }
  const lowConfidence = isLowConfidence(block.confidence)
  const tooltip = lowConfidence
    ? t.viewer.lowConfidence(percent(block.confidence ?? 0, language))
    : undefined
  return (
    <div
      ref={root}
      className={styles.block}
      style={{ '--color': `var(--mantine-color-${colorOf(block.label)}-filled)` }}
      data-block={block.id}
      data-active={props.active || undefined}
      data-found={props.found || undefined}
      data-low-confidence={lowConfidence || undefined}
      data-small={SMALL_PRINT.includes(block.label) || undefined}
      title={tooltip}
      onMouseEnter={() => props.hover(block.id)}
      onMouseLeave={() => props.hover(null)}
      onClick={() => props.select(block.id, 'text')}
    >
      {props.editing ? (
        <Editor
          block={block}
          draft={props.draftOf(block.id) ?? undefined}
          onType={(text) => props.onType(block.id, text)}
          onSave={(text) => {
            if (text === block.text) props.onDiscard(block.id)
            else props.onCorrect(block.id, text)
            close()
          }}
          onDiscard={() => {
            props.onDiscard(block.id)
            close()
          }}
          onLeave={close}
        />
      ) : (
        <>
          {isFigure(block.label) && <Figure block={block} image={props.image} page={props.page} />}
          <MarkdownView markdown={block.text} />
          {props.corrected && (
            <span className={styles.corrected}>
              {props.corrected === 'checked' ? t.reading.checked : t.viewer.corrected}{' '}
            </span>
          )}
          {props.pending === 'typed' && <span className={styles.pending}>{t.viewer.typed} </span>}
          {props.pending === 'saved' && <span className={styles.pending}>{t.viewer.unstored}</span>}
          {actions && (
            <BlockTools
              onCopy={() => actions.copy(block.text)}
              onLink={() => actions.link(block.id)}
              onEdit={onEdit && (() => onEdit(block.id))}
              onUndo={props.corrected && onEdit ? () => props.onCorrect(block.id, null) : undefined}
            />
          )}
        </>
      )}
    </div>
  )
})

function BlockTools(props: {
  onCopy: () => void
  onLink: () => void
  onEdit: (() => void) | undefined
  onUndo: (() => void) | undefined
}) {
  const { t } = useTranslation()
  const { onEdit, onUndo } = props
  return (
    <div className={styles.tools}>
      {onEdit && (
        <IconButton size="sm" data-edit label={t.viewer.edit} onClick={onEdit}>
          <IconPencil size={16} />
        </IconButton>
      )}
      <IconButton size="sm" label={t.reading.copyBlock} onClick={props.onCopy}>
        <IconCopy size={16} />
      </IconButton>
      <IconButton size="sm" label={t.reading.copyBlockLink} onClick={props.onLink}>
        <IconLink size={16} />
      </IconButton>
      {onUndo && (
        <IconButton size="sm" label={t.viewer.undoCorrection} onClick={onUndo}>
          <IconArrowBackUp size={16} />
        </IconButton>
      )}
    </div>
  )
}

/** What is typed is kept as a draft at once; Escape leaves the editor and keeps it. */
function Editor(props: {
  block: Block
  draft: string | undefined
  onType: (text: string) => void
  onSave: (text: string) => void
  onDiscard: () => void
  onLeave: () => void
}) {
  const { t } = useTranslation()
  const { block } = props
  const [text, setText] = useState(props.draft ?? block.text)
  const isTable = useMemo(() => parseTable(text) !== null, [text])
  const [asSource, setAsSource] = useState(false)
  const change = (next: string) => {
    setText(next)
    props.onType(next)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        props.onSave(text)
      }}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key === 'Escape') props.onLeave()
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) props.onSave(text)
      }}
    >
      {isTable && !asSource ? (
        <CellEditor source={text} onChange={change} />
      ) : (
        <Textarea
          autosize
          minRows={1}
          maxRows={20}
          data-autofocus
          autoFocus
          dir="auto"
          aria-label={t.viewer.blockText(block.id + 1)}
          value={text}
          onChange={(event) => change(event.currentTarget.value)}
        />
      )}
      <Group gap="xs" mt="xs">
        <Button size="xs" type="submit">
          {t.viewer.save}
        </Button>
        <Button size="xs" variant="default" onClick={props.onDiscard}>
          {t.viewer.discard}
        </Button>
        {isTable && (
          <Button size="xs" variant="subtle" aria-pressed={asSource} onClick={() => setAsSource(!asSource)}>
            {t.viewer.tableSource}
          </Button>
        )}
      </Group>
    </form>
  )
}
