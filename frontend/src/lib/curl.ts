// The commands that read a document as the page did, for a terminal.

export type CurlRequest = {
  /** Of the service, with a slash at its end. */
  url: string
  jobId: string
  files: string[]
  fields: Record<string, string>
  /** Whether the service asks for a key. */
  key: boolean
}

/** Submit the files, see the job, get its text. */
export function curlCommands({ url, jobId, files, fields, key }: CurlRequest): string[] {
  const header = key ? ' -H "X-Api-Key: $DSOCR_KEY"' : ''
  const parts = [
    ...files.map((name) => `-F ${quoted(`file=@${name.replace(/[",;]/g, '?')}`)}`),
    ...Object.entries(fields).map(([name, value]) => `--form-string ${quoted(`${name}=${value}`)}`),
  ]
  const job = `${url}api/jobs/${jobId}`
  return [
    `curl${header} ${parts.join(' ')} ${quoted(`${url}api/jobs`)}`,
    `curl${header} ${quoted(job)}`,
    `curl${header} -OJ ${quoted(`${job}/export?format=markdown`)}`,
  ]
}

/** One word for a POSIX shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
