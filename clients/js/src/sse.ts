// Server-sent events, parsed from text that arrives in chunks of any size.

export type ServerEvent = { id: string; event: string; data: string }

/** `feed` takes the next chunk of a stream and returns the events that it completes. */
export function createEventParser() {
  let rest = ''
  let id = ''
  let event = ''
  let data: string[] = []
  let began = false

  function line(text: string): ServerEvent | undefined {
    if (text === '') {
      const completed = data.length > 0 ? { id, event: event || 'message', data: data.join('\n') } : undefined
      event = ''
      data = []
      return completed
    }
    const colon = text.indexOf(':')
    const name = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') data.push(value)
    else if (name === 'event') event = value
    else if (name === 'id' && !value.includes('\0')) id = value
    return undefined // a comment, or a field that has no meaning here
  }

  function feed(chunk: string): ServerEvent[] {
    let text = rest + chunk
    if (!began && text !== '') {
      began = true
      if (text.startsWith('\uFEFF')) text = text.slice(1)
    }
    const completed: ServerEvent[] = []
    let start = 0
    const ends = /\r\n|\n|\r(?!$)/g // a CR at the end may be the first half of CR LF
    ends.lastIndex = rest.length > 0 ? rest.length - 1 : 0
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      const found = line(text.slice(start, end.index))
      if (found !== undefined) completed.push(found)
      start = ends.lastIndex
    }
    rest = text.slice(start)
    return completed
  }

  return { feed }
}

/** The events of a response. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const parser = createEventParser()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield* parser.feed(decoder.decode(value, { stream: true }))
    }
  } finally {
    await reader.cancel().catch(() => undefined) // an abandoned stream ends the request
  }
}
