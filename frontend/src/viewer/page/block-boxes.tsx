import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useTranslation } from '../../i18n/translation'
import { boxOf, boxStyle, stackOrder } from '../../lib/geometry'
import { colorOf, isFigure, isLowConfidence } from '../../lib/block-labels'
import type { Block } from '../../lib/result'
import { scrollIntoView } from '../../ui/scroll'
import styles from './block-boxes.module.css'
import type { BlockSelection } from '../use-block-selection'

/** The boxes of the blocks over the page image. They share one tab stop; the arrow keys move between
 * them in reading order. */
export function BlockBoxes(props: {
  blocks: Block[]
  found: ReadonlySet<number>
  selection: BlockSelection
  streaming: boolean
}) {
  const { t } = useTranslation()
  const { blocks, selection } = props
  const layer = useRef<HTMLDivElement>(null)
  const tabStop = blocks.some((block) => block.id === selection.active) ? selection.active : blocks[0]?.id

  useEffect(() => {
    const selected = selection.selected
    if (selected === null || selected.from === 'box') return
    scrollIntoView(layer.current?.querySelector(`[data-box="${selected.id}"]`))
  }, [selection.selected])

  function press(event: KeyboardEvent) {
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

  return (
    <div ref={layer} onKeyDown={press} role="group" aria-label={t.viewer.boxes}>
      {blocks.flatMap((block) =>
        block.boxes.map(({ index, normalized }) => {
          const box = boxOf(normalized)
          const label = t.labels[block.label] ?? block.label
          return (
            box && (
              <button
                key={`${block.id}-${index}`}
                type="button"
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
                data-active={selection.active === block.id || undefined}
                data-found={props.found.has(block.id) || undefined}
                data-low-confidence={isLowConfidence(block.confidence) || undefined}
                data-figure={isFigure(block.label) || undefined}
                data-streaming={props.streaming || undefined}
                onMouseEnter={() => selection.hover(block.id)}
                onMouseLeave={() => selection.hover(null)}
                onClick={() => selection.select(block.id, 'box')}
              />
            )
          )
        }),
      )}
    </div>
  )
}
