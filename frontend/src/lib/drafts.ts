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
let opening: Promise<IDBDatabase> | undefined
let opened: IDBDatabase | undefined

function database(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('dsocr', 1)
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: ['jobId', 'page', 'block'] })
      store.createIndex('jobId', 'jobId')
    }
    request.onsuccess = () => resolve((opened = request.result))
    request.onerror = () => reject(request.error)
  })
  return opening
}

type Use<T> = (store: IDBObjectStore) => IDBRequest<T>

/** Begins at once where the database is open: what a key has changed is stored before it is rendered. */
function run<T>(mode: IDBTransactionMode, use: Use<T>): Promise<T> {
  return opened === undefined ? database().then((own) => transact(own, mode, use)) : transact(opened, mode, use)
}

function transact<T>(own: IDBDatabase, mode: IDBTransactionMode, use: Use<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = own.transaction(STORE, mode)
    const request = use(transaction.objectStore(STORE))
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = transaction.onerror = () => reject(transaction.error)
    transaction.commit() // it is completed also when the page is closed now
  })
}

export const draftsOf = (jobId: string): Promise<Draft[]> =>
  run('readonly', (store) => store.index('jobId').getAll(jobId))

export const storeDraft = (draft: Draft): Promise<unknown> => run('readwrite', (store) => store.put(draft))

export const removeDraft = ({ jobId, page, block }: Draft): Promise<unknown> =>
  run('readwrite', (store) => store.delete([jobId, page, block]))
