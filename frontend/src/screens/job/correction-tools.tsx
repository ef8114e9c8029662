import { Badge } from '@mantine/core'
import { IconArrowBackUp, IconArrowForwardUp, IconVersions } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { useTranslation } from '../../i18n/translation'
import { IconButton } from '../../ui/icon-button'
import type { Corrections } from './use-corrections'

/** Undo and redo of corrections, and the versions of the page; Ctrl+Z and Ctrl+Shift+Z, except in a field. */
export function EditTools(props: {
  corrections: Corrections
  onStep: (back: boolean) => void
  /** Undefined for a page without one. */
  onVersions: (() => void) | undefined
}) {
  const { corrections, onStep } = props
  const { t } = useTranslation()
  const latest = useRef(onStep)
  latest.current = onStep
  useEffect(() => {
    function press(event: KeyboardEvent) {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return
      if (event.target instanceof Element && event.target.closest('input, textarea, [role=dialog]')) return
      event.preventDefault()
      latest.current(!event.shiftKey)
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
  return (
    <>
      <IconButton label={t.viewer.undo} disabled={!corrections.canUndo} onClick={() => onStep(true)}>
        <IconArrowBackUp size={18} />
      </IconButton>
      <IconButton label={t.viewer.redo} disabled={!corrections.canRedo} onClick={() => onStep(false)}>
        <IconArrowForwardUp size={18} />
      </IconButton>
      <IconButton label={t.versions.title} disabled={!props.onVersions} onClick={props.onVersions}>
        <IconVersions size={18} />
      </IconButton>
    </>
  )
}

/** Says which corrections only this device has. */
export function UnstoredCorrections({ count }: { count: number }) {
  const { t } = useTranslation()
  return (
    <span role="status">
      {count > 0 && (
        <Badge variant="light" color="orange" tt="none" c="var(--mantine-color-text)" data-long>
          {t.status.unstored(count)}
        </Badge>
      )}
    </span>
  )
}
