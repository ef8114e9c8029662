// The kinds of blocks, and the colour each is drawn in. The set is open: strangers get grey.

const COLOURS: Record<string, string> = {
  title: 'red',
  sub_title: 'orange',
  text: 'blue',
  line: 'blue',
  list: 'cyan',
  code: 'gray',
  equation: 'grape',
  formula: 'grape',
  image: 'green',
  figure: 'green',
  image_caption: 'lime',
  figure_caption: 'lime',
  image_footnote: 'lime',
  table: 'violet',
  table_caption: 'indigo',
  table_footnote: 'indigo',
  reference: 'teal',
  footnote: 'teal',
  header: 'pink',
  footer: 'pink',
  page_number: 'pink',
}
export const LOW_CONFIDENCE = 0.75

export function colourOf(label: string): string {
  return COLOURS[label] ?? 'gray'
}

export function isFigure(label: string): boolean {
  return label === 'image' || label === 'figure'
}

export function isUnsure(confidence: number | null): boolean {
  return confidence !== null && confidence < LOW_CONFIDENCE
}
