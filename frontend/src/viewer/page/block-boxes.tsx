import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useWords } from '../../i18n/translation'
import { boxOf, boxStyle, stackOrder } from '../../lib/geometry'
import { colourOf, isFigure, isUnsure } from '../../lib/block-labels'
import type { Item } from '../../lib/result'
import { scrollIntoView } from '../../ui/scroll'
import styles from './block-boxes.module.css'
import type { Pointing } from '../use-block-selection'

/** Blocks over the picture. One stop of the Tab key; arrows walk through them in reading order. */
export function Boxes(props: {
  items: Item[]
  found: ReadonlySet<number>
  pointing: Pointing
  fresh: boolean
}) {
  const { words } = useWords()
  const { items, pointing } = props
  const layer = useRef<HTMLDivElement>(null)
  const stop = items.some((item) => item.id === pointing.active) ? pointing.active : items[0]?.id

  useEffect(() => {
    const picked = pointing.picked
    if (picked === null || picked.from === 'box') return
    scrollIntoView(layer.current?.querySelector(`[data-box="${picked.id}"]`))
  }, [pointing.picked])

  function press(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    const place = items.findIndex((item) => item.id === stop) + step
    const next = items[Math.min(items.length - 1, Math.max(0, place))]
    if (next === undefined) return
    pointing.pick(next.id, 'box')
    layer.current?.querySelector<HTMLElement>(`[data-box="${next.id}"]`)?.focus()
  }

  return (
    <div ref={layer} onKeyDown={press} role="group" aria-label={words.viewer.boxes}>
      {items.flatMap((item) =>
        item.boxes.map(({ index, normalized }) => {
          const box = boxOf(normalized)
          const label = words.labels[item.label] ?? item.label
          return (
            box && (
              <button
                key={`${item.id}-${index}`}
                type="button"
                className={styles.box}
                style={{
                  ...boxStyle(box),
                  zIndex: stackOrder(box),
                  '--colour': `var(--mantine-color-${colourOf(item.label)}-filled)`,
                }}
                aria-label={`${label}: ${item.text.slice(0, 80)}`}
                aria-current={pointing.active === item.id || undefined}
                tabIndex={item.id === stop && index === 0 ? 0 : -1}
                data-box={item.id}
                data-active={pointing.active === item.id || undefined}
                data-found={props.found.has(item.id) || undefined}
                data-unsure={isUnsure(item.confidence) || undefined}
                data-figure={isFigure(item.label) || undefined}
                data-fresh={props.fresh || undefined}
                onMouseEnter={() => pointing.hover(item.id)}
                onMouseLeave={() => pointing.hover(null)}
                onClick={() => pointing.pick(item.id, 'box')}
              />
            )
          )
        }),
      )}
    </div>
  )
}
