// A block that is one HTML table, as cells to edit, and back. What else the source has is kept.

export type TableSource = { document: Document; cells: HTMLTableCellElement[][] }

/** The cells of a block whose whole text is one HTML table; null for any other text. */
export function parseTable(source: string): TableSource | null {
  if (!/^\s*<table[\s>][\s\S]*<\/table>\s*$/i.test(source)) return null
  const document = new DOMParser().parseFromString(source, 'text/html') // runs nothing, loads nothing
  const tables = document.querySelectorAll('table')
  const [table] = tables
  if (table === undefined || tables.length > 1) return null
  const cells = Array.from(table.rows, (row) => Array.from(row.cells))
  return cells.some((row) => row.length > 0) ? { document, cells } : null
}

/** The source with a cell's text replaced. */
export function withCell(source: string, row: number, column: number, text: string): string {
  const parsed = parseTable(source)
  const cell = parsed?.cells[row]?.[column]
  if (parsed === null || cell === undefined) return source
  cell.textContent = text
  return parsed.document.querySelector('table')?.outerHTML ?? source
}
