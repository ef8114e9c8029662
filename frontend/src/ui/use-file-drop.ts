import { useEffect, useRef, useState } from 'react'

/** Takes files and folders that are dropped anywhere on the page; true while they are dragged over it. */
export function useFileDrop(onFiles: (files: File[]) => void): boolean {
  const latest = useRef(onFiles)
  latest.current = onFiles
  const [dragging, setDragging] = useState(false)
  useEffect(() => {
    function over(event: DragEvent) {
      if (!hasFiles(event)) return
      event.preventDefault()
      setDragging(true)
    }
    function leave(event: DragEvent) {
      if (event.relatedTarget === null) setDragging(false) // it left the window
    }
    function drop(event: DragEvent) {
      if (!hasFiles(event)) return
      event.preventDefault()
      setDragging(false)
      void filesOf(event.dataTransfer).then((files) => files.length > 0 && latest.current(files))
    }
    const controller = new AbortController()
    const options = { signal: controller.signal }
    window.addEventListener('dragenter', over, options)
    window.addEventListener('dragover', over, options)
    window.addEventListener('dragleave', leave, options)
    window.addEventListener('drop', drop, options)
    return () => controller.abort()
  }, [])
  return dragging
}

function hasFiles(event: DragEvent): event is DragEvent & { dataTransfer: DataTransfer } {
  return event.dataTransfer?.types.includes('Files') ?? false
}

/** The dropped files, those in folders too. The entries must be taken before the event ends. */
async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const plain = Array.from(transfer.files)
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry())
  if (!entries.some((entry) => entry?.isDirectory)) return plain
  const nested = await Promise.all(entries.map((entry) => (entry === null ? [] : filesIn(entry))))
  return nested.flat()
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile)
    return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))]
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: File[] = []
  for (;;) {
    // A call returns some of the entries; none is the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (batch.length === 0) return found
    found.push(...(await Promise.all(batch.map(filesIn))).flat())
  }
}
