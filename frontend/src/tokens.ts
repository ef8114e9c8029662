// The design in one place: colors of light and dark, type, spacing, radii and shadows. CSS uses them as
// variables of the same names (`--surface`); `theme.ts` gives them to the components of Mantine.

type Palette = [string, string, string, string, string, string, string, string, string, string]

/** From the lightest to the darkest shade. */
export const ACCENT: Palette = [
  '#eef1ff', '#dde4ff', '#bac8fd', '#96a9fa', '#7b91f6', '#5f77ef', '#4661e6', '#3850cf', '#2e43b3', '#253692',
]
/** Warm greys, as paper has them. */
export const GRAY: Palette = [
  '#faf9f7', '#f4f2ee', '#ebe9e3', '#dfdcd4', '#cfcbc1', '#a9a498', '#837d72', '#5d584f', '#3e3b35', '#24221f',
]
/** Cool near-blacks; from the text to the deepest ground. */
export const DARK: Palette = [
  '#e8eaee', '#c6cbd4', '#a9b0bc', '#7f8794', '#333a45', '#2a3039', '#20252c', '#181c22', '#101317', '#0b0d10',
]

export const FONT =
  '"Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Hiragino Sans", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif'
export const MONOSPACE = 'ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace'

export const SHARED = {
  '--space-1': '0.25rem',
  '--space-2': '0.5rem',
  '--space-3': '0.75rem',
  '--space-4': '1rem',
  '--space-5': '1.5rem',
  '--space-6': '2.5rem',
  '--radius-s': '6px',
  '--radius-m': '10px',
  '--radius-l': '18px',
  '--radius-round': '999px',
  '--text-xs': '0.75rem',
  '--text-s': '0.8125rem',
  '--text-m': '0.9375rem',
  '--text-l': '1.125rem',
  '--text-xl': '1.75rem',
  '--measure': '70ch',
}

export const LIGHT = {
  '--ground': '#f4f2ee',
  '--surface': '#ffffff',
  '--surface-raised': '#ffffff',
  '--surface-sunken': '#ebe9e3',
  '--line': '#e0ddd5',
  '--ink': '#1e1d1a',
  '--ink-muted': '#56524a',
  '--accent': '#3850cf',
  '--accent-soft': '#eef1ff',
  '--sheet-filter': 'none',
  '--shadow-1': '0 1px 2px rgb(40 34 20 / 7%)',
  '--shadow-2': '0 2px 4px rgb(40 34 20 / 5%), 0 10px 28px rgb(40 34 20 / 9%)',
}

export const DARK_MODE: typeof LIGHT = {
  '--ground': '#101317',
  '--surface': '#181c22',
  '--surface-raised': '#20252c',
  '--surface-sunken': '#0b0d10',
  '--line': '#2e343e',
  '--ink': '#e8eaee',
  '--ink-muted': '#a9b0bc',
  '--accent': '#96a9fa',
  '--accent-soft': '#232a46',
  '--sheet-filter': 'brightness(0.86)', // a white sheet dazzles in a dark room
  '--shadow-1': '0 1px 2px rgb(0 0 0 / 40%)',
  '--shadow-2': '0 2px 4px rgb(0 0 0 / 35%), 0 12px 32px rgb(0 0 0 / 45%)',
}
