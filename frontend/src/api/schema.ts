export type { components } from '@dsocr/client'
