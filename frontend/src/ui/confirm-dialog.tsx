import { Button, Group, Modal } from '@mantine/core'
import { useTranslation } from '../i18n/translation'

/** Asks for confirmation before an action that loses data. */
export function ConfirmDialog(props: {
  opened: boolean
  question: string
  confirmLabel: string
  onConfirm: () => void
  onCancel: () => void
}) {
  const { t } = useTranslation()
  return (
    <Modal
      opened={props.opened}
      onClose={props.onCancel}
      withCloseButton={false}
      title={props.question}
      centered
      styles={{ title: { lineHeight: 1.4, overflowWrap: 'anywhere' } }}
    >
      <Group justify="flex-end">
        <Button variant="default" onClick={props.onCancel}>
          {t.cancel}
        </Button>
        <Button color="red.9" data-autofocus onClick={props.onConfirm}>
          {props.confirmLabel}
        </Button>
      </Group>
    </Modal>
  )
}
