import { Button, Container, Group, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconArchive, IconSearch } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { ConfirmDialog } from '../../ui/confirm-dialog'
import { FullScreenMessage } from '../../ui/full-screen-message'
import { errorMessage, notifyError } from '../error-notifications'
import { isActive } from '../job/use-job'
import { jobName } from '../job-name'
import { refresh, refreshJobs, show } from '../refresh'
import { FoundTexts, useFoundTexts } from './found-texts'
import { HistoryRow } from './history-row'
import { SelectionBar } from './selection-bar'

const PAGE_SIZE = 30

/** The jobs that the server keeps: to search, open, export and delete. */
export function HistoryScreen({ modes, onNew }: { modes: api.Modes | undefined; onNew: () => void }) {
  const { t } = useTranslation()
  const cache = useQueryClient()
  const [search, setSearch] = useState('')
  const [query] = useDebouncedValue(search.trim(), 250)
  const [toDelete, setToDelete] = useState<{ ids: string[]; question: string } | null>(null)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const { data, error, hasNextPage, fetchNextPage } = useJobList(query)
  const texts = useFoundTexts(query)
  const inTexts = texts.data?.pages.some(({ found }) => found.length > 0) ?? false
  const jobs = uniqueJobs(data?.pages ?? [])
  const total = data?.pages.at(-1)?.total
  const action = { label: t.nav.new, onClick: onNew }
  if (data?.pages[0] === null)
    return <FullScreenMessage icon={<IconArchive />} title={t.history.disabled} action={action} />

  function select(id: string, isSelected: boolean) {
    const next = new Set(selected)
    if (isSelected) next.add(id)
    else next.delete(id)
    setSelected(next)
  }

  async function deleteJobs(ids: string[]) {
    setToDelete(null)
    setSelected(new Set([...selected].filter((id) => !ids.includes(id))))
    const deleted = await Promise.allSettled(ids.map((id) => api.deleteJob(id)))
    const failure = deleted.find((each) => each.status === 'rejected')
    if (failure !== undefined) notifyError(failure.reason, t)
    await refreshJobs(cache)
  }

  async function renameJob(id: string, name: string) {
    try {
      show(cache, ['job', id], await api.renameJob(id, name))
    } catch (failure) {
      notifyError(failure, t)
    }
    await Promise.all([refreshJobs(cache), refresh(cache, ['search'])])
  }

  const message = error ? errorMessage(error, t) : null
  return (
    <Container size="md" py="xl" w="100%">
      <Stack>
        <Group justify="space-between">
          <Title order={1} size="h2">
            {t.history.title}
          </Title>
          <TextInput
            type="search"
            aria-label={t.history.search}
            placeholder={t.history.search}
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
            w={{ base: '100%', xs: 280 }}
          />
        </Group>
        {message && <Text c="red">{message}</Text>}
        {selected.size > 0 && (
          <SelectionBar
            ids={[...selected]}
            formats={modes?.formats ?? []}
            onDelete={() => setToDelete({ ids: [...selected], question: t.history.deleteSelected(selected.size) })}
            onClear={() => setSelected(new Set())}
          />
        )}
        {total === 0 && query === '' && (
          <FullScreenMessage icon={<IconArchive />} title={t.history.empty} action={action} />
        )}
        {total === 0 && query !== '' && !inTexts && <Text c="dimmed">{t.history.noMatch}</Text>}
        <Stack gap="xs" role="list">
          {jobs.map((job) => (
            <HistoryRow
              key={job.jobId}
              job={job}
              retentionDays={modes?.limits.retentionDays}
              selected={selected.has(job.jobId)}
              onSelect={(isSelected) => select(job.jobId, isSelected)}
              onRename={(name) => void renameJob(job.jobId, name)}
              onDelete={() =>
                setToDelete({ ids: [job.jobId], question: t.history.deleteQuestion(jobName(job, t)) })
              }
            />
          ))}
        </Stack>
        {hasNextPage && (
          <Button variant="default" onClick={() => void fetchNextPage()}>
            {t.history.more}
          </Button>
        )}
        {query !== '' && <FoundTexts texts={texts} />}
      </Stack>
      <ConfirmDialog
        opened={toDelete !== null}
        question={toDelete?.question ?? ''}
        confirmLabel={t.history.deleteConfirm}
        onConfirm={() => toDelete && void deleteJobs(toDelete.ids)}
        onCancel={() => setToDelete(null)}
      />
    </Container>
  )
}

function useJobList(query: string) {
  return useInfiniteQuery({
    queryKey: ['jobs', 'listed', query],
    queryFn: ({ signal, pageParam }) =>
      api.listJobs({ search: query, limit: PAGE_SIZE, offset: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (last, all) =>
      last !== null && last.total > all.length * PAGE_SIZE ? all.length * PAGE_SIZE : undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page?.jobs.some(isActive)) ? 2000 : 20_000,
  })
}

/** Each job once: a new job shifts others to the next page of the list, which then repeats them. */
function uniqueJobs(pages: (api.JobList | null)[]): api.Job[] {
  const all = pages.flatMap((page) => page?.jobs ?? [])
  return [...new Map(all.map((job) => [job.jobId, job])).values()]
}
