import { TextInput } from '@mantine/core'
import { useRef } from 'react'
import { useTranslation } from '../../i18n/translation'

/** The name of a document, to change: Enter and leaving the field take it, Escape does not. */
export function NameField(props: {
  name: string
  onRename: (name: string) => void
  /** `byKey`: the focus is to go on from the field. */
  onClose: (byKey: boolean) => void
}) {
  const { t } = useTranslation()
  const isClosed = useRef(false)

  function close(typed: string, byKey: boolean) {
    if (isClosed.current) return
    isClosed.current = true // a field that is taken away is left too
    const name = typed.trim()
    if (name !== '' && name !== props.name) props.onRename(name)
    props.onClose(byKey)
  }

  return (
    <TextInput
      size="xs"
      maw="28rem"
      autoFocus
      maxLength={255}
      aria-label={t.history.newName}
      defaultValue={props.name}
      onFocus={({ currentTarget }) => currentTarget.setSelectionRange(0, lengthOfStem(props.name))}
      onBlur={(event) => close(event.currentTarget.value, false)}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key !== 'Enter' && event.key !== 'Escape') return
        event.preventDefault() // the key would press the button that has the focus then
        if (event.key === 'Enter') close(event.currentTarget.value, true)
        else close(props.name, true)
      }}
    />
  )
}

/** Without the ending, which is mostly kept. */
function lengthOfStem(name: string): number {
  const dot = name.lastIndexOf('.')
  return dot > 0 ? dot : name.length
}
