import { Loader, ThemeIcon } from '@mantine/core'
import { IconAlertTriangle, IconCheck, IconX } from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'
import { useWords } from '../../i18n/translation'
import styles from './page-list.module.css'
import { usePicture, type LoadPicture } from './use-page-image'

/** How a page stands, as far as a list shows it. */
export type PageMark = 'waiting' | 'reading' | 'done' | 'flagged' | 'failed'

const ROW = 164

/** Thumbnails of all pages; only those in sight exist. */
export function PageList(props: {
  marks: readonly PageMark[]
  current: number
  onPick: (index: number) => void
  load: LoadPicture
}) {
  const { words } = useWords()
  const scroller = useRef<HTMLElement>(null)
  const virtual = useVirtualizer({
    count: props.marks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 2,
  })
  useEffect(() => {
    virtual.scrollToIndex(props.current, { align: 'auto' })
  }, [virtual, props.current])
  return (
    <nav ref={scroller} className={styles.list} aria-label={words.viewer.pages}>
      <div className={styles.inner} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <button
            key={index}
            type="button"
            className={styles.row}
            style={{ height: ROW, transform: `translateY(${start}px)` }}
            aria-label={words.viewer.page(index + 1)}
            aria-current={index === props.current ? 'page' : undefined}
            data-waiting={props.marks[index] === 'waiting' || undefined}
            data-mark={props.marks[index]}
            onClick={() => props.onPick(index)}
          >
            <span className={styles.frame}>
              <Thumbnail load={props.load} index={index} />
              <span className={styles.state}>
                <Mark mark={props.marks[index] ?? 'waiting'} />
              </span>
            </span>
            {index + 1}
          </button>
        ))}
      </div>
    </nav>
  )
}

function Thumbnail({ load, index }: { load: LoadPicture; index: number }) {
  const picture = usePicture(load, index)
  return picture.status === 'ready' ? <img src={picture.url} alt="" decoding="async" /> : null
}

function Mark({ mark }: { mark: PageMark }) {
  if (mark === 'waiting') return null
  if (mark === 'reading') return <Loader size={18} />
  const [colour, Icon] = {
    done: ['teal', IconCheck] as const,
    flagged: ['orange', IconAlertTriangle] as const,
    failed: ['red', IconX] as const,
  }[mark]
  return (
    <ThemeIcon size={18} radius="xl" color={colour}>
      <Icon size={12} stroke={3} />
    </ThemeIcon>
  )
}
