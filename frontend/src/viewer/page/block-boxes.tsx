import { useDeferredValue, useEffect, useMemo, useRef, type ClipboardEvent, type KeyboardEvent } from 'react'
import { useTranslation } from '../../i18n/translation'
import { percent } from '../../lib/format'
import { boxOf, boxStyle, stackOrder, type Size } from '../../lib/geometry'
import { colorOf, isFigure, isLowConfidence } from '../../lib/block-labels'
import type { Block } from '../../lib/result'
import { linesByBox, selectedText, type Line } from '../../lib/text-lines'
import { scrollIntoView } from '../../ui/scroll'
import styles from './block-boxes.module.css'
import type { BlockSelection } from '../use-block-selection'
import { LineText } from './line-text'

/** The boxes of the blocks over the page image, with the text of their lines to select. They share one
 * tab stop; the arrow keys move between them in reading order. */
export function BlockBoxes(props: {
  blocks: Block[]
  lines: readonly Line[]
  page: Size
  found: ReadonlySet<number>
  selection: BlockSelection
  streaming: boolean
}) {
  const { t, language } = useTranslation()
  const { lines, page, selection } = props
  const arrived = useDeferredValue(props.blocks, NO_BLOCKS) // the picture comes first
  const blocks = arrived.length === 0 ? arrived : props.blocks
  const byBox = useMemo(() => linesByBox(blocks, lines), [blocks, lines])
  const layer = useRef<HTMLDivElement>(null)
  const tabStop = blocks.some((block) => block.id === selection.active) ? selection.active : blocks[0]?.id

  const scrolledTo = useRef<BlockSelection['selected']>(null)
  useEffect(() => {
    const selected = selection.selected
    if (selected === null || selected.from === 'box' || selected === scrolledTo.current) return
    const box = layer.current?.querySelector(`[data-box="${selected.id}"]`)
    if (box == null) return // it is rendered later
    scrolledTo.current = selected
    scrollIntoView(box)
  }, [selection.selected, blocks])

  function press(event: KeyboardEvent) {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      if (tabStop != null) selection.select(tabStop, 'box')
      return
    }
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    const index = blocks.findIndex((block) => block.id === tabStop) + step
    const next = blocks[Math.min(blocks.length - 1, Math.max(0, index))]
    if (next === undefined) return
    selection.select(next.id, 'box')
    layer.current?.querySelector<HTMLElement>(`[data-box="${next.id}"]`)?.focus()
  }

  function copy(event: ClipboardEvent) {
    const selected = window.getSelection()
    if (layer.current === null || selected === null || selected.isCollapsed) return
    event.clipboardData.setData('text/plain', selectedText(selected, layer.current.querySelectorAll('text')))
    event.preventDefault()
  }

  return (
    <div ref={layer} onKeyDown={press} onCopy={copy} role="group" aria-label={t.viewer.boxes}>
      {blocks.flatMap((block) =>
        block.boxes.map(({ index, normalized }) => {
          const box = boxOf(normalized)
          const label = t.labels[block.label] ?? block.label
          return (
            box && (
              <div
                key={`${block.id}-${index}`}
                role="button"
                className={styles.box}
                style={{
                  ...boxStyle(box),
                  zIndex: stackOrder(box),
                  '--color': `var(--mantine-color-${colorOf(block.label)}-filled)`,
                }}
                aria-label={t.labeled(label, block.text.slice(0, 80))}
                aria-current={selection.active === block.id || undefined}
                tabIndex={block.id === tabStop && index === 0 ? 0 : -1}
                data-box={block.id}
                data-chip={chipOf(label, block.confidence, language)}
                data-active={selection.active === block.id || undefined}
                data-found={props.found.has(block.id) || undefined}
                data-low-confidence={isLowConfidence(block.confidence) || undefined}
                data-figure={isFigure(block.label) || undefined}
                data-streaming={props.streaming || undefined}
                onMouseEnter={() => selection.hover(block.id)}
                onMouseLeave={() => selection.hover(null)}
                onClick={() => window.getSelection()?.isCollapsed !== false && selection.select(block.id, 'box')}
              >
                <LineText
                  lines={byBox.get(`${block.id}-${index}`) ?? NO_LINES}
                  size={{ width: (box[2] - box[0]) * page.width, height: (box[3] - box[1]) * page.height }}
                />
              </div>
            )
          )
        }),
      )}
    </div>
  )
}

const NO_BLOCKS: Block[] = []
const NO_LINES: readonly never[] = []

/** Such as "Text · 98%". */
function chipOf(label: string, confidence: number | null, language: string): string {
  return confidence === null ? label : `${label} · ${percent(confidence, language)}`
}
