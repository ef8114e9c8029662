export type { ServerEvent } from '@dsocr/client'
