import { useTranslation } from '../../i18n/translation'
import { parseTable, withCell } from '../../lib/table-source'
import styles from './cell-editor.module.css'

/** The cells of a table as fields, at their places. */
export function CellEditor({ source, onChange }: { source: string; onChange: (source: string) => void }) {
  const { t } = useTranslation()
  const table = parseTable(source)
  return (
    <div className={styles.scrolled}>
      <table className={styles.table}>
        <tbody>
          {table?.cells.map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, column) => (
                <td key={column} colSpan={cell.colSpan} rowSpan={cell.rowSpan}>
                  <textarea
                    className={styles.field}
                    rows={1}
                    dir="auto"
                    autoFocus={row === 0 && column === 0}
                    aria-label={t.viewer.cell(row + 1, column + 1)}
                    value={cell.textContent}
                    onChange={(event) => onChange(withCell(source, row, column, event.currentTarget.value))}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
