// Uploads with XMLHttpRequest, in browsers alone: fetch reports no upload progress.
import { ServiceUnreachable } from './errors.js'

export type Upload = {
  url: URL
  headers: Headers
  body: FormData
  signal?: AbortSignal
  onUploadProgress: (fraction: number) => void
}

/** The response as fetch has it, when its head is received; its body follows as it arrives. */
export function upload({ url, headers, body, signal, onUploadProgress }: Upload): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const encoder = new TextEncoder()
    let stream: ReadableStreamDefaultController<Uint8Array> | undefined
    let delivered = 0
    const deliver = () => {
      const text = request.responseText.slice(delivered)
      delivered += text.length
      if (text !== '') stream?.enqueue(encoder.encode(text))
    }
    const fail = (error: unknown) => {
      reject(error)
      stream?.error(error)
    }
    const abort = () => request.abort()
    request.open('POST', url)
    headers.forEach((value, name) => request.setRequestHeader(name, value))
    request.upload.onprogress = ({ loaded, total }) => onUploadProgress(loaded / total)
    request.onreadystatechange = () => {
      if (request.readyState !== XMLHttpRequest.HEADERS_RECEIVED || request.status === 0) return
      const received = new ReadableStream<Uint8Array>({
        start: (controller) => void (stream = controller),
        cancel: abort,
      })
      const init = { status: request.status, headers: responseHeaders(request) }
      resolve(new Response(received, init))
    }
    request.onprogress = deliver
    request.onload = () => {
      deliver()
      stream?.close()
    }
    request.onerror = () => fail(new ServiceUnreachable())
    request.onabort = () => fail(new DOMException('aborted', 'AbortError'))
    request.onloadend = () => signal?.removeEventListener('abort', abort)
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) fail(new DOMException('aborted', 'AbortError'))
    else request.send(body)
  })
}

function responseHeaders(request: XMLHttpRequest): Headers {
  const headers = new Headers()
  for (const line of request.getAllResponseHeaders().trim().split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return headers
}
