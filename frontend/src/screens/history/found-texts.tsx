import { Button, Paper, Stack, Text, Title } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { moment } from '../../lib/format'
import { formatRoute } from '../../lib/route'
import styles from './history.module.css'

const PAGE_SIZE = 20

/** The pages of all documents that have the words. */
export function useFoundTexts(query: string) {
  return useInfiniteQuery({
    queryKey: ['search', query],
    queryFn: ({ signal, pageParam }) =>
      api.searchTexts(query, { limit: PAGE_SIZE, offset: pageParam }, signal),
    enabled: query !== '',
    initialPageParam: 0,
    getNextPageParam: (last, all) => (last.more ? all.length * PAGE_SIZE : undefined),
    placeholderData: keepPreviousData,
    staleTime: 0,
  })
}

/** The pages found, each a link to the place. */
export function FoundTexts({ texts }: { texts: ReturnType<typeof useFoundTexts> }) {
  const { t } = useTranslation()
  const { data, hasNextPage, fetchNextPage } = texts
  if (data === undefined) return null
  const found = data.pages.flatMap((page) => page.found)
  return (
    <Stack component="section" gap="xs" aria-label={t.find.inTexts}>
      <Title order={2} size="h4">
        {t.find.inTexts}
      </Title>
      {found.length === 0 && <Text c="dimmed">{t.find.noText}</Text>}
      <Stack gap="xs" role="list">
        {found.map((each) => (
          <Excerpt key={`${each.jobId} ${each.pageIndex}`} found={each} />
        ))}
      </Stack>
      {hasNextPage && (
        <Button variant="default" onClick={() => void fetchNextPage()}>
          {t.history.more}
        </Button>
      )}
    </Stack>
  )
}

/** Without the signs of a Markdown heading. */
const withoutSigns = (text: string) => text.replace(/^\s*#{1,6}\s/, '')

function Excerpt({ found }: { found: api.FoundText }) {
  const { t, language } = useTranslation()
  const { jobId, pageIndex: page, block, excerpt } = found
  const find = excerpt.find(({ match }) => match)?.text
  const place = { screen: 'job', jobId, page, tab: 'rendered', block: block ?? undefined, find } as const
  return (
    <Paper withBorder p="sm" role="listitem" className={styles.row}>
      <div className={styles.document}>
        <a className={styles.link} href={formatRoute(place)}>
          {found.fileName} · {t.viewer.page(page + 1)}
        </a>
        <Text size="sm" dir="auto">
          {excerpt.map(({ text, match }, index) => (match ? <mark key={index}>{text}</mark> : withoutSigns(text)))}
        </Text>
        <Text size="xs" c="dimmed">
          {moment(found.createdAt, language)}
        </Text>
      </div>
    </Paper>
  )
}
