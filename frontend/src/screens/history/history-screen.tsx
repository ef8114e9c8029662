import { Badge, Button, Checkbox, Container, Group, Stack, Text, TextInput, Title, Paper, Progress } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconArchive, IconSearch, IconTrash } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import * as api from '../../api/client'
import { useWords } from '../../i18n/translation'
import { formatAddress } from '../../lib/route'
import { moment } from '../../lib/format'
import { Confirm } from '../../ui/confirm-dialog'
import { IconButton } from '../../ui/icon-button'
import { Message } from '../../ui/full-screen-message'
import styles from './history.module.css'
import { Chosen } from './selection-bar'
import { nameOf } from '../job-name'
import { problemText, tell } from '../error-notifications'
import { isRunning } from '../job/use-job'

const STEP = 30
const COLOURS = { queued: 'gray', running: 'blue', succeeded: 'teal', failed: 'red', cancelled: 'gray' }

/** The documents that the service keeps. */
export function HistoryScreen({ modes, onNew }: { modes: api.Modes | undefined; onNew: () => void }) {
  const { words } = useWords()
  const cache = useQueryClient()
  const [search, setSearch] = useState('')
  const [wanted] = useDebouncedValue(search.trim(), 250)
  const [doomed, setDoomed] = useState<api.Job | null>(null)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const { data, error, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ['jobs', 'listed', wanted],
    queryFn: ({ signal, pageParam }) =>
      api.listJobs({ search: wanted, limit: STEP, offset: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (last, all) =>
      last !== null && last.total > all.length * STEP ? all.length * STEP : undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page?.jobs.some(isRunning)) ? 2000 : 20_000,
  })
  const jobs = listed(data?.pages ?? [])
  const total = data?.pages.at(-1)?.total
  const action = { label: words.nav.new, onClick: onNew }
  if (data?.pages[0] === null)
    return <Message icon={<IconArchive />} title={words.history.none} action={action} />

  function choose(id: string, wanted: boolean) {
    const next = new Set(chosen)
    if (wanted) next.add(id)
    else next.delete(id)
    setChosen(next)
  }

  async function remove(job: api.Job) {
    setDoomed(null)
    choose(job.jobId, false)
    try {
      await api.deleteJob(job.jobId)
    } catch (problem) {
      tell(problem, words)
    }
    await cache.invalidateQueries({ queryKey: ['jobs'] })
  }

  const problem = error ? problemText(error, words) : null
  return (
    <Container size="md" py="xl" w="100%">
      <Stack>
        <Group justify="space-between">
          <Title order={1} size="h2">
            {words.history.title}
          </Title>
          <TextInput
            type="search"
            aria-label={words.history.search}
            placeholder={words.history.search}
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
            w={{ base: '100%', xs: 280 }}
          />
        </Group>
        {problem && <Text c="red">{problem}</Text>}
        {chosen.size > 0 && (
          <Chosen ids={[...chosen]} formats={modes?.formats ?? []} onNone={() => setChosen(new Set())} />
        )}
        {total === 0 && wanted === '' && (
          <Message icon={<IconArchive />} title={words.history.empty} action={action} />
        )}
        {total === 0 && wanted !== '' && <Text c="dimmed">{words.history.nothing}</Text>}
        <Stack gap="xs" role="list">
          {jobs.map((job) => (
            <Row
              key={job.jobId}
              job={job}
              chosen={chosen.has(job.jobId)}
              onChoose={(wanted) => choose(job.jobId, wanted)}
              onRemove={() => setDoomed(job)}
            />
          ))}
        </Stack>
        {hasNextPage && (
          <Button variant="default" onClick={() => void fetchNextPage()}>
            {words.history.more}
          </Button>
        )}
      </Stack>
      <Confirm
        opened={doomed !== null}
        question={doomed ? words.history.sure(nameOf(doomed, words)) : ''}
        yes={words.history.removeYes}
        onYes={() => doomed && void remove(doomed)}
        onNo={() => setDoomed(null)}
      />
    </Container>
  )
}

/** Every job once: what is new pushes others into the next page of the list. */
function listed(pages: (api.JobList | null)[]): api.Job[] {
  const all = pages.flatMap((page) => page?.jobs ?? [])
  return [...new Map(all.map((job) => [job.jobId, job])).values()]
}

function Row(props: {
  job: api.Job
  chosen: boolean
  onChoose: (wanted: boolean) => void
  onRemove: () => void
}) {
  const { job, onRemove } = props
  const { words, language } = useWords()
  const name = nameOf(job, words)
  const failed = job.pagesFailed > 0 ? ` · ${words.read.failedPages(job.pagesFailed)}` : ''
  return (
    <Paper withBorder p="sm" role="listitem" className={styles.row}>
      <Checkbox
        aria-label={words.history.select(name)}
        checked={props.chosen}
        onChange={(event) => props.onChoose(event.currentTarget.checked)}
      />
      <div className={styles.what}>
        <a className={styles.link} href={formatAddress({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })}>
          {name}
        </a>
        <Text size="xs" c="dimmed">
          {moment(job.createdAt, language)} · {words.read.progress(job.pagesDone, job.pagesTotal)}
          {failed}
        </Text>
        {isRunning(job) && (
          <Progress
            mt={6}
            size="sm"
            animated
            aria-label={words.read.progress(job.pagesDone, job.pagesTotal)}
            value={Math.max(3, (100 * job.pagesDone) / Math.max(1, job.pagesTotal))}
          />
        )}
      </div>
      <Badge variant="light" color={COLOURS[job.status]} tt="none" c="var(--mantine-color-text)">
        {words.history.status[job.status] ?? job.status}
      </Badge>
      <IconButton label={words.history.remove(name)} onClick={onRemove}>
        <IconTrash size={18} />
      </IconButton>
    </Paper>
  )
}
