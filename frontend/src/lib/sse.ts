// Server-sent events out of text that arrives in pieces. Knows nothing of requests.

export type ServerEvent = { id: string; event: string; data: string }

/** `feed` takes the next piece of the stream and returns the events that it completes. */
export function eventReader() {
  let rest = ''
  let lastId = ''

  function feed(text: string): ServerEvent[] {
    const parts = (rest + text).split(/\r\n\r\n|\n\n/)
    rest = parts.pop() ?? ''
    return parts.flatMap((part) => {
      const event = parsed(part)
      return event === undefined ? [] : [event]
    })
  }

  function parsed(part: string): ServerEvent | undefined {
    let event = 'message'
    const data: string[] = []
    for (const line of part.split(/\r?\n/)) {
      const colon = line.indexOf(':')
      if (colon === 0) continue // a comment: the heartbeat
      const name = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (name === 'event') event = value
      else if (name === 'data') data.push(value)
      else if (name === 'id') lastId = value
    }
    return data.length > 0 ? { id: lastId, event, data: data.join('\n') } : undefined
  }

  return { feed }
}
