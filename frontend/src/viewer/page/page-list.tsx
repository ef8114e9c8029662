import { Loader, ThemeIcon } from '@mantine/core'
import { IconAlertTriangle, IconCheck, IconX } from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useCallback, useEffect, useRef, type KeyboardEvent } from 'react'
import { useTranslation } from '../../i18n/translation'
import styles from './page-list.module.css'
import { usePageImage, type LoadPageImage, type TurnedPage } from './use-page-image'

/** The state of a page in the list; `flagged` means done with a notice. */
export type PageMark = 'waiting' | 'processing' | 'done' | 'flagged' | 'failed'

const ROW_HEIGHT = 164

/** Thumbnails of all pages. Virtualized: only the visible rows are rendered. */
export function PageList(props: {
  marks: readonly PageMark[]
  current: number
  onSelect: (index: number) => void
  loadImage: LoadPageImage
  rotationOf: (index: number) => number
}) {
  const { t } = useTranslation()
  const scroller = useRef<HTMLElement>(null)
  const virtual = useVirtualizer({
    count: props.marks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 2,
    useFlushSync: false,
  })
  useEffect(() => {
    virtual.scrollToIndex(props.current, { align: 'auto' })
  }, [virtual, props.current])
  const latest = useRef(props.onSelect)
  latest.current = props.onSelect
  const onSelect = useCallback((index: number) => latest.current(index), [])
  /** The pages are one tab stop; the arrow keys move between them. */
  function press(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    const next = props.current + (step ?? 0)
    if (step === undefined || next < 0 || next >= props.marks.length) return
    event.preventDefault()
    props.onSelect(next)
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>('[aria-current=page]')?.focus(),
    )
  }

  return (
    <nav ref={scroller} onKeyDown={press} className={styles.list} aria-label={t.viewer.pages}>
      <div className={styles.inner} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <Row
            key={index}
            index={index}
            top={start}
            mark={props.marks[index] ?? 'waiting'}
            current={index === props.current}
            rotation={props.rotationOf(index)}
            loadImage={props.loadImage}
            onSelect={onSelect}
          />
        ))}
      </div>
    </nav>
  )
}

/** Rendered again when its page changes, not when the list scrolls. */
const Row = memo(function Row(props: {
  index: number
  /** Pixels from the start of the list. */
  top: number
  mark: PageMark
  current: boolean
  rotation: number
  loadImage: LoadPageImage
  onSelect: (index: number) => void
}) {
  const { t } = useTranslation()
  const { index, mark, current } = props
  return (
    <button
      type="button"
      className={styles.row}
      style={{ height: ROW_HEIGHT, transform: `translateY(${props.top}px)` }}
      aria-label={t.viewer.page(index + 1)}
      aria-current={current ? 'page' : undefined}
      data-waiting={mark === 'waiting' || undefined}
      data-mark={mark}
      tabIndex={current ? 0 : -1}
      onClick={() => props.onSelect(index)}
    >
      <span className={styles.frame}>
        <Thumbnail loadImage={props.loadImage} index={index} rotation={props.rotation} />
        <span className={styles.state}>
          <MarkIcon mark={mark} />
        </span>
      </span>
      {index + 1}
    </button>
  )
})

function Thumbnail({ loadImage, ...page }: TurnedPage & { loadImage: LoadPageImage }) {
  const image = usePageImage(loadImage, page)
  return image.status === 'ready' ? <img src={image.url} alt="" decoding="async" /> : null
}

function MarkIcon({ mark }: { mark: PageMark }) {
  if (mark === 'waiting') return null
  if (mark === 'processing') return <Loader size={18} />
  const [color, Icon] = {
    done: ['teal', IconCheck] as const,
    flagged: ['orange', IconAlertTriangle] as const,
    failed: ['red', IconX] as const,
  }[mark]
  return (
    <ThemeIcon size={18} radius="xl" color={color}>
      <Icon size={12} stroke={3} />
    </ThemeIcon>
  )
}
