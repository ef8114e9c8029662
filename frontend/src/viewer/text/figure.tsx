import { useTranslation } from '../../i18n/translation'
import { boxOf, cropStyle, type Size } from '../../lib/geometry'
import type { Block } from '../../lib/result'
import type { PageImage } from '../page/use-page-image'
import styles from './block-view.module.css'

/** The crop of the page image in each of a figure's boxes. */
export function Figure({ block, image, page }: { block: Block; image: PageImage; page: Size }) {
  const { t } = useTranslation()
  if (image.status !== 'ready' || page.height <= 0) return <em>{t.viewer.figure}</em>
  return block.boxes.map(({ index, normalized }) => {
    const box = boxOf(normalized)
    if (box === undefined) return null
    return (
      <div
        key={index}
        role="img"
        aria-label={block.text || t.viewer.figure}
        className={styles.figure}
        style={{ ...cropStyle(box, page), backgroundImage: `url("${image.url}")` }}
      />
    )
  })
}
