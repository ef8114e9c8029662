// What a resolution mode costs, by the arithmetic of the DeepSeek-OCR paper.

type Spec = { base_size: number; image_size: number; crop_mode: boolean }

const MOST_TILES = 9

/** Vision tokens of a page: one number, or the least and the most where tiles are cut. */
export function visionTokens({ base_size, image_size, crop_mode }: Spec): number[] {
  const overview = tokens(base_size)
  return crop_mode ? [overview, overview + MOST_TILES * tokens(image_size)] : [overview]
}

/** Patches of 16 px, compressed sixteenfold. */
function tokens(side: number): number {
  return Math.ceil(side / 16 / 4) ** 2
}
