import { VisuallyHidden } from '@mantine/core'
import { useEffect, useRef, type Ref } from 'react'
import { useMergedRef } from '@mantine/hooks'

/** A hidden file input that a button opens: for a whole folder, or for the camera of a phone. */
export function FilePicker(props: {
  ref: Ref<HTMLInputElement>
  label: string
  folder?: boolean
  camera?: boolean
  accept?: string
  onFiles: (files: File[]) => void
}) {
  const own = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (own.current) own.current.webkitdirectory = props.folder === true
  }, [props.folder])
  return (
    <VisuallyHidden>
      <input
        ref={useMergedRef(own, props.ref)}
        type="file"
        tabIndex={-1}
        aria-hidden
        aria-label={props.label}
        multiple={!props.camera}
        accept={props.camera ? 'image/*' : props.accept}
        capture={props.camera ? 'environment' : undefined}
        onChange={({ currentTarget }) => {
          const files = Array.from(currentTarget.files ?? [])
          currentTarget.value = ''
          if (files.length > 0) props.onFiles(files)
        }}
      />
    </VisuallyHidden>
  )
}
