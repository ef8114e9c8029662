import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiError } from './api/client'
import { App } from './app'
import { loadLanguage, storedLanguage, TranslationProvider } from './i18n/translation'
import { theme, variables } from './theme'

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // An error response is final; a request without a response is repeated.
      retry: (count, error) => !(error instanceof ApiError) && count < 2,
      networkMode: 'always', // the backend is often on this machine, reachable while offline
    },
    mutations: { networkMode: 'always' },
  },
})

const HAS_GALLERY = import.meta.env.DEV || import.meta.env.MODE === 'gallery'

/** What is shown: the page, or with `?gallery` all its states, in development and where it is built so. */
async function content(): Promise<ReactNode> {
  if (HAS_GALLERY && new URLSearchParams(window.location.search).has('gallery')) {
    const { Gallery } = await import('./gallery/gallery')
    return <Gallery />
  }
  return <App />
}

async function start(root: HTMLElement): Promise<void> {
  const [initial, shown] = await Promise.all([loadLanguage(storedLanguage()), content()])
  createRoot(root).render(
    <StrictMode>
      <TranslationProvider initial={initial}>
        <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
          <QueryClientProvider client={queryClient}>
            <Notifications position="bottom-center" />
            {shown}
          </QueryClientProvider>
        </MantineProvider>
      </TranslationProvider>
    </StrictMode>,
  )
}

const root = document.getElementById('root')
if (root !== null) void start(root)
// It needs HTTPS or localhost; elsewhere the page works without it.
if (import.meta.env.PROD && !HAS_GALLERY && 'serviceWorker' in navigator)
  navigator.serviceWorker.register('./sw.js').catch(() => undefined)
