import type { Box, Size } from '../../lib/geometry'
import { doubtfulWords, type PlacedLine } from '../../lib/text-lines'
import styles from './block-boxes.module.css'

const TALL = 1.5 // a line this many times as high as wide is a vertical one

/** The lines of a box as invisible text over the picture, to select and copy. `size` is that of the box
 * in pixels of the page. */
export function LineText({ lines, size }: { lines: readonly PlacedLine[]; size: Size }) {
  return (
    <svg
      className={styles.lines}
      viewBox={`0 0 ${size.width} ${size.height}`}
      preserveAspectRatio="none"
      aria-hidden
    >
      {lines.map(({ line, box }, index) => (
        <LineOfText key={index} line={line} box={scaled(box, size)} />
      ))}
    </svg>
  )
}

function LineOfText({ line, box: [x0, y0, x1, y1] }: PlacedLine) {
  const [width, height] = [x1 - x0, y1 - y0]
  const vertical = height > TALL * width && line.text.length > 1
  const place = vertical
    ? { x: (x0 + x1) / 2, y: y0, textLength: height, fontSize: width * 0.85, writingMode: 'vertical-rl' }
    : { x: x0, y: y1 - height * 0.22, textLength: width, fontSize: height * 0.85 }
  return (
    <>
      {!vertical &&
        doubtfulWords(line).map(([from, to]) => (
          <line
            key={from}
            className={styles.doubtful}
            x1={x0 + from * width}
            x2={x0 + to * width}
            y1={y1}
            y2={y1}
          />
        ))}
      <text {...place} lengthAdjust="spacingAndGlyphs">
        {line.text}
      </text>
    </>
  )
}

const scaled = ([x0, y0, x1, y1]: Box, { width, height }: Size): Box => [
  x0 * width,
  y0 * height,
  x1 * width,
  y1 * height,
]
