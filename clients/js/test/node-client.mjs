// What a Node program does with the built package; prints what it gets, as JSON.
// node node-client.mjs URL KEY FILE
import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { DsocrClient, ServiceError } from '../dist/index.js'

const [url, key, path] = process.argv.slice(2)
const client = new DsocrClient({ url, key })
const file = new File([await openAsBlob(path)], basename(path))

const document = await client.read(file, { mode: 'tiny' })
const events = new Set()
for await (const { event } of client.stream(file)) events.add(event)
const job = await client.createJob([file])
const finished = await client.wait(job.jobId)
const page = await client.page(job.jobId, 0)
const id = page.layout.items[0].id
const corrected = await client.correct(job.jobId, 0, [{ id, text: 'corrected' }])
const text = await (await client.exportJob(job.jobId, 'text')).text()
let streamed = 0
for await (const chunk of await client.exportStream(job.jobId, 'zip')) streamed += chunk.length
const html = await (await client.exportDocument(document, 'html', file)).text()
await client.deleteJob(job.jobId)
const error = await client.job(job.jobId).catch((failure) => failure)
console.log(
  JSON.stringify({
    text: document.text,
    events: [...events].sort(),
    status: finished.status,
    corrected: corrected.correctedText,
    export: text,
    streamed: streamed > 0,
    html: html.includes(document.pages[0].text),
    error: [error instanceof ServiceError, error.status, error.code],
  }),
)
