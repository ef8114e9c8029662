import { useWords } from '../../i18n/translation'
import { boxOf, cropStyle, type Size } from '../../lib/geometry'
import type { Item } from '../../lib/result'
import styles from './block-view.module.css'
import type { Picture } from '../page/use-page-image'

/** What a figure's boxes show of the page's picture. */
export function Figure({ item, picture, page }: { item: Item; picture: Picture; page: Size }) {
  const { words } = useWords()
  if (picture.status !== 'ready' || page.height <= 0) return <em>{words.viewer.figure}</em>
  return item.boxes.map(({ index, normalized }) => {
    const box = boxOf(normalized)
    if (box === undefined) return null
    return (
      <div
        key={index}
        role="img"
        aria-label={item.text || words.viewer.figure}
        className={styles.figure}
        style={{ ...cropStyle(box, page), backgroundImage: `url("${picture.url}")` }}
      />
    )
  })
}
