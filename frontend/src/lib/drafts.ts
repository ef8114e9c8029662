// Corrections that the server does not have yet, kept in the browser's IndexedDB.

/** `typed`: in an editor that was not saved. `saved`: to be sent to the server. */
export type Draft = {
  jobId: string
  page: number
  block: number
  /** null resets the block to the engine's text. */
  text: string | null
  phase: 'typed' | 'saved'
}

const STORE = 'drafts'
let opened: Promise<IDBDatabase> | undefined

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('dsocr', 1)
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: ['jobId', 'page', 'block'] })
      store.createIndex('jobId', 'jobId')
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  return opened
}

async function run<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(STORE, mode)
  const request = use(transaction.objectStore(STORE))
  transaction.commit() // it is completed also when the page is closed now
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = transaction.onerror = () => reject(transaction.error)
  })
}

export const draftsOf = (jobId: string): Promise<Draft[]> =>
  run('readonly', (store) => store.index('jobId').getAll(jobId))

export const storeDraft = (draft: Draft): Promise<unknown> => run('readwrite', (store) => store.put(draft))

export const removeDraft = ({ jobId, page, block }: Draft): Promise<unknown> =>
  run('readwrite', (store) => store.delete([jobId, page, block]))
