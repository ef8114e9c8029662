// Server-sent events, parsed from text that arrives in chunks of any size.
import { createParser } from 'eventsource-parser'

export type ServerEvent = { id: string; event: string; data: string }

/** `feed` takes the next chunk of a stream and returns the events that it completes. */
export function createEventParser() {
  let completed: ServerEvent[] = []
  let lastId = ''
  const parser = createParser({
    onEvent: ({ id = lastId, event = 'message', data }) => {
      lastId = id
      completed.push({ id, event, data })
    },
  })

  function feed(chunk: string): ServerEvent[] {
    completed = []
    parser.feed(chunk)
    return completed
  }

  return { feed }
}
