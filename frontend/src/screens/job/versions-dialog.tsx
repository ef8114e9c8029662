import { Button, Group, Loader, Modal, Radio, SimpleGrid, Stack, Text } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import * as api from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'
import { duration, moment } from '../../lib/format'
import { MarkdownView } from '../../viewer/text/markdown-view'
import { notifyError } from '../error-notifications'
import { refresh } from '../refresh'
import { modeLabel } from './job-options'
import styles from './versions-dialog.module.css'

type Version = Awaited<ReturnType<typeof api.pageVersions>>['versions'][number]

/** The former versions of a page beside the present one: to compare, and to take one. */
export function VersionsDialog(props: {
  jobId: string
  page: number
  present: string
  onTaken: (page: api.JobPage) => void
  onClose: () => void
}) {
  const { t, language } = useTranslation()
  const cache = useQueryClient()
  const { jobId, page } = props
  const [chosen, setChosen] = useState<number>()
  const { data } = useQuery({
    // A new reading or correction, which changes the present text, makes a version.
    queryKey: ['versions', jobId, page, props.present],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.pageVersions(jobId, page, signal),
    staleTime: 0,
  })
  const versions = data?.versions
  const shown = versions?.find(({ number }) => number === chosen) ?? versions?.[0]

  async function take(version: Version) {
    try {
      props.onTaken(await api.takeVersion(jobId, page, version.number))
      await refresh(cache, ['versions', jobId, page])
      props.onClose()
    } catch (failure) {
      notifyError(failure, t)
    }
  }

  return (
    <Modal
      opened
      onClose={props.onClose}
      size="80rem"
      title={t.versions.titleOf(page + 1)}
      closeButtonProps={{ 'aria-label': t.close }}
    >
      {versions === undefined && <Loader aria-label={t.status.processing} />}
      {versions?.length === 0 && <Text c="dimmed">{t.versions.none}</Text>}
      {versions !== undefined && shown !== undefined && (
        <Stack>
          <Radio.Group
            label={t.versions.former}
            value={String(shown.number)}
            onChange={(value) => setChosen(Number(value))}
          >
            <Stack gap={6} mt={6} mah="22vh" style={{ overflowY: 'auto' }}>
              {versions.map((version) => (
                <Radio
                  key={version.number}
                  value={String(version.number)}
                  label={labelOf(version, t, language)}
                />
              ))}
            </Stack>
          </Radio.Group>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Side title={t.versions.present} text={props.present} />
            <Side title={t.versions.shown} text={shown.text} />
          </SimpleGrid>
          <Group justify="flex-end">
            <Button variant="default" onClick={props.onClose}>
              {t.versions.keepPresent}
            </Button>
            <Button onClick={() => void take(shown)}>{t.versions.take}</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  )
}

function Side({ title, text }: { title: string; text: string }) {
  return (
    <section className={styles.side} aria-label={title} tabIndex={0}>
      <Text fw={600} size="sm" mb="xs">
        {title}
      </Text>
      <MarkdownView markdown={text} />
    </section>
  )
}

function labelOf(version: Version, t: Texts, language: string): string {
  const parts = [
    moment(version.replacedAt, language),
    modeLabel(version.mode, t),
    duration(version.durationMs / 1000, language),
  ]
  if (version.rotation > 0) parts.push(t.versions.turned(version.rotation))
  if (version.corrections > 0) parts.push(t.versions.corrections(version.corrections))
  return parts.join(' · ')
}
