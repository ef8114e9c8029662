import { expect, test } from 'vitest'
import { visionTokens } from './vision-tokens'

test('vision tokens are as many as in the paper', () => {
  const of = (base_size: number, image_size: number, crop_mode = false) =>
    visionTokens({ base_size, image_size, crop_mode })
  expect([of(512, 512), of(640, 640), of(1024, 1024), of(1280, 1280)]).toEqual([
    [64],
    [100],
    [256],
    [400],
  ])
  expect(of(1024, 640, true)).toEqual([256, 1156])
})
