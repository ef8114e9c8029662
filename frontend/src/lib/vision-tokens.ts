// The number of vision tokens of a resolution mode, as in the DeepSeek-OCR paper.

type Spec = { base_size: number; image_size: number; crop_mode: boolean }

const MAX_TILES = 9

/** Vision tokens of a page: one number, or the minimum and maximum when the page is tiled. */
export function visionTokens({ base_size, image_size, crop_mode }: Spec): number[] {
  const overview = tokens(base_size)
  return crop_mode ? [overview, overview + MAX_TILES * tokens(image_size)] : [overview]
}

/** A square of `side` px: patches of 16 px, 16 of them compressed into one token. */
function tokens(side: number): number {
  return Math.ceil(side / 16 / 4) ** 2
}
