import { createTheme, Modal, type CSSVariablesResolver } from '@mantine/core'
import { ACCENT, DARK, DARK_MODE, FONT, GRAY, LIGHT, MONOSPACE, SHARED } from './tokens'

export const theme = createTheme({
  colors: { accent: ACCENT, gray: GRAY, dark: DARK },
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 6 }, // enough contrast for white text
  defaultRadius: 'md',
  radius: { sm: SHARED['--radius-s'], md: SHARED['--radius-m'], lg: SHARED['--radius-l'] },
  cursorType: 'pointer',
  autoContrast: true,
  respectReducedMotion: true,
  fontFamily: FONT,
  fontFamilyMonospace: MONOSPACE,
  headings: { fontWeight: '640' },
  components: {
    // A header of a dialog is not that of the page.
    Modal: Modal.extend({ defaultProps: { attributes: { header: { role: 'presentation' } } } }),
    // Mantine's default grey has a contrast of 3.3 on white.
    Notification: { styles: { description: { color: 'var(--mantine-color-dimmed)' } } },
  },
})

/** The tokens as variables, and Mantine's own that follow from them. */
export const variables: CSSVariablesResolver = () => ({
  variables: SHARED,
  light: { ...LIGHT, ...mantineOf(LIGHT) },
  dark: { ...DARK_MODE, ...mantineOf(DARK_MODE) },
})

function mantineOf(tokens: typeof LIGHT): Record<string, string> {
  return {
    '--mantine-color-body': tokens['--surface'],
    '--mantine-color-text': tokens['--ink'],
    '--mantine-color-dimmed': tokens['--ink-muted'],
    '--mantine-color-placeholder': tokens['--ink-muted'],
    '--mantine-color-default-border': tokens['--line'],
    '--mantine-shadow-xs': tokens['--shadow-1'],
    '--mantine-shadow-md': tokens['--shadow-2'],
  }
}
