// The color of each block label, and what a label means. Unknown labels are grey.

const COLORS: Record<string, string> = {
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
const LOW_CONFIDENCE = 0.75

export function colorOf(label: string): string {
  return COLORS[label] ?? 'gray'
}

export function isFigure(label: string): boolean {
  return label === 'image' || label === 'figure'
}

export function isLowConfidence(confidence: number | null): boolean {
  return confidence !== null && confidence < LOW_CONFIDENCE
}
