// A page to try the service with, drawn when it is asked for: a heading, a paragraph and a table.

const WIDTH = 1000
const HEIGHT = 760
const TEXT = [
  'The harbour opened in the spring of 1887. Ships from eleven',
  'countries came to load grain and timber, and a ledger of every',
  'cargo has been kept to this day. 港口的货物记录保存至今。',
]
const TABLE = [
  ['Year', 'Ships', 'Grain (t)'],
  ['1887', '112', '3,480'],
  ['1888', '165', '5,120'],
  ['1889', '171', '5,904'],
]
const [LEFT, TABLE_TOP, ROW, COLUMN] = [80, 400, 64, 280]

export async function samplePage(): Promise<File> {
  const canvas = document.createElement('canvas')
  canvas.width = WIDTH
  canvas.height = HEIGHT
  const context = canvas.getContext('2d')
  if (context !== null) draw(context)
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  return new File(blob === null ? [] : [blob], 'sample.png', { type: 'image/png' })
}

function draw(context: CanvasRenderingContext2D): void {
  context.fillStyle = '#fff'
  context.fillRect(0, 0, WIDTH, HEIGHT)
  context.fillStyle = context.strokeStyle = '#111'
  context.font = 'bold 46px Georgia, serif'
  context.fillText('Report of the harbour', LEFT, 110)
  context.font = '27px Georgia, serif'
  TEXT.forEach((line, place) => context.fillText(line, LEFT, 190 + place * 46))
  context.lineWidth = 2
  TABLE.forEach((cells, row) =>
    cells.forEach((cell, column) => {
      const [x, y] = [LEFT + column * COLUMN, TABLE_TOP + row * ROW]
      context.strokeRect(x, y, COLUMN, ROW)
      context.fillText(cell, x + 20, y + 42)
    }),
  )
}
