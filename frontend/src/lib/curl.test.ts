import { expect, test } from 'vitest'
import { curlCommands } from './curl'

test('the commands quote names for a shell and send the key of the environment', () => {
  const commands = curlCommands({
    url: 'http://host/ocr/',
    jobId: 'ab',
    files: ["Ann's; rm -rf.pdf"],
    fields: { mode: 'base', prompt: '<image>\nFree OCR.' },
    key: true,
  })
  expect(commands).toEqual([
    `curl -H "X-Api-Key: $DSOCR_KEY" -F 'file=@Ann'\\''s? rm -rf.pdf' --form-string 'mode=base' --form-string '<image>\nFree OCR.' 'http://host/ocr/api/jobs'`.replace(
      "'<image>",
      "'prompt=<image>",
    ),
    `curl -H "X-Api-Key: $DSOCR_KEY" 'http://host/ocr/api/jobs/ab'`,
    `curl -H "X-Api-Key: $DSOCR_KEY" -OJ 'http://host/ocr/api/jobs/ab/export?format=markdown'`,
  ])
})
