// The page without a connection, and files that a phone shares with it. Answers of the API are never
// stored: their requests are not touched here.
const PAGE = 'dsocr-page'
const SHARED = 'dsocr-shared'
const scope = new URL('./', self.location.href)

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(fetch(scope, { cache: 'no-cache' }).then(storePage))
})

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return
  const path = url.pathname.slice(scope.pathname.length)
  if (request.method === 'POST' && path === 'share-target') event.respondWith(takeShared(request))
  else if (request.method !== 'GET') return
  else if (path === '') event.respondWith(page(event))
  else if (path.startsWith('assets/') || path === 'icon.svg') event.respondWith(file(request))
})

// A document that is not kept: the page is closing, and its own requests would be dropped.
self.addEventListener('message', (event) => {
  const { toDelete, headers } = event.data
  const isOwn = typeof toDelete === 'string' && toDelete.startsWith(scope.href)
  if (isOwn) event.waitUntil(fetch(toDelete, { method: 'DELETE', headers }))
})

/** The page from the server, so that a new version is there at once; the stored one without it. */
async function page(event) {
  try {
    const answer = await fetch(event.request)
    if (answer.ok) event.waitUntil(storePage(answer.clone()))
    return answer
  } catch (error) {
    const stored = await caches.match(scope.href)
    if (stored === undefined) throw error
    return stored
  }
}

/** A file of the page. The names of assets have a hash of their content: what is stored is right. */
async function file(request) {
  const stored = await caches.match(request.url)
  if (stored !== undefined) return stored
  const answer = await fetch(request)
  if (answer.ok) await (await caches.open(PAGE)).put(request.url, answer.clone())
  return answer
}

/** Stores the page and the files that it names. Those of another version are removed. */
async function storePage(answer) {
  const cache = await caches.open(PAGE)
  const html = await answer.clone().text()
  const stored = await cache.match(scope.href)
  if (stored !== undefined && (await stored.text()) === html) return
  const names = Array.from(html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g), (match) => match[1])
  const urls = new Set(names.map((name) => new URL(name, scope).href)) // addAll refuses one that is there twice
  await cache.addAll([...urls])
  await cache.put(scope.href, answer)
  const kept = new Set([scope.href, ...urls])
  for (const { url } of await cache.keys()) if (!kept.has(url)) await cache.delete(url)
}

/** Stores the files that were shared, and opens the start screen, which takes them. `shared` tells it
 * to: a page that this one replaces would lose what it took. */
async function takeShared(request) {
  const files = (await request.formData()).getAll('file')
  const cache = await caches.open(SHARED)
  for (const [place, shared] of files.entries()) {
    const headers = { 'Content-Type': shared.type, 'X-Name': encodeURIComponent(shared.name) }
    await cache.put(new URL(`shared/${Date.now()}-${place}`, scope), new Response(shared, { headers }))
  }
  return Response.redirect(`${scope.href}?shared#/`, 303)
}
