import { Anchor, Container, List, Title, useDirection } from '@mantine/core'
import { useEffect, useState } from 'react'
import { App } from '../app'
import { answerFrom } from './service'
import { STATES } from './states'

const query = new URLSearchParams(window.location.search)
const isMirrored = query.has('rtl')

/** A list of the page's states, or with `state=NAME` the page in that state, with `rtl` from
 * right to left. */
export function Gallery() {
  const { setDirection } = useDirection()
  useEffect(() => {
    if (isMirrored) setDirection('rtl')
  }, [])
  const [state] = useState(() => {
    const chosen = STATES[query.get('state') ?? '']
    if (chosen === undefined) return undefined
    answerFrom(chosen)
    window.history.replaceState(null, '', chosen.hash)
    return chosen
  })
  if (state !== undefined) return <App />
  return (
    <Container component="main" py="xl">
      <Title order={1}>States of the page</Title>
      <List mt="md">
        {Object.keys(STATES).map((name) => (
          <List.Item key={name}>
            <Anchor href={`?gallery&state=${name}`}>{name}</Anchor>
          </List.Item>
        ))}
      </List>
    </Container>
  )
}
