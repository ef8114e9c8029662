import { Anchor, Container, List, Title } from '@mantine/core'
import { useState } from 'react'
import { App } from '../app'
import { answerFrom } from './service'
import { STATES } from './states'

/** In development only: a list of the page's states, or with `state=NAME` the page in that state. */
export function Gallery() {
  const [state] = useState(() => {
    const chosen = STATES[new URLSearchParams(window.location.search).get('state') ?? '']
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
