import { Button, Group, Modal } from '@mantine/core'
import { useWords } from '../i18n/translation'

/** Asks before something is lost. */
export function Confirm(props: {
  opened: boolean
  question: string
  yes: string
  onYes: () => void
  onNo: () => void
}) {
  const { words } = useWords()
  return (
    <Modal
      opened={props.opened}
      onClose={props.onNo}
      withCloseButton={false}
      title={props.question}
      centered
    >
      <Group justify="flex-end">
        <Button variant="default" onClick={props.onNo}>
          {words.cancel}
        </Button>
        <Button color="red.9" data-autofocus onClick={props.onYes}>
          {props.yes}
        </Button>
      </Group>
    </Modal>
  )
}
