import { Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { IconHistory, IconKeyOff, IconKeyboard, IconLanguage, IconMoon, IconPlus, IconSun } from '@tabler/icons-react'
import { forgetApiKey, hasApiKey, type Health } from '../../api/client'
import { LANGUAGES, useTranslation } from '../../i18n/translation'
import type { Route } from '../../lib/route'
import { IconButton } from '../../ui/icon-button'
import type { Navigate } from '../../ui/use-route'
import { EngineBadge } from './engine-badge'
import styles from './header.module.css'

/** Navigation, the engine's state, language, color scheme and the list of shortcuts. */
export function Header(props: {
  health: Health | undefined
  offline: boolean
  screen: Route['screen']
  navigate: Navigate
  onShortcuts: () => void
}) {
  const { t } = useTranslation()
  return (
    <header className={styles.header}>
      <a href="#/" className={styles.brand} aria-label="dsocr">
        <img src="./icon.svg" alt="" />
        <span>dsocr</span>
      </a>
      <nav aria-label={t.nav.main} className={styles.nav}>
        <IconButton
          label={t.nav.new}
          pressed={props.screen === 'new'}
          onClick={() => props.navigate({ screen: 'new' })}
        >
          <IconPlus size={20} />
        </IconButton>
        <IconButton
          label={t.nav.history}
          pressed={props.screen === 'history'}
          onClick={() => props.navigate({ screen: 'history' })}
        >
          <IconHistory size={20} />
        </IconButton>
      </nav>
      <EngineBadge health={props.health} offline={props.offline} />
      {hasApiKey() && (
        <IconButton
          label={t.apiKey.forget}
          onClick={() => {
            forgetApiKey()
            window.location.reload() // nothing that was loaded with the key stays on the screen
          }}
        >
          <IconKeyOff size={20} />
        </IconButton>
      )}
      <LanguageMenu />
      <ColorSchemeButton />
      <IconButton label={t.shortcuts.title} onClick={props.onShortcuts}>
        <IconKeyboard size={20} />
      </IconButton>
    </header>
  )
}

function LanguageMenu() {
  const { t, language, setLanguage } = useTranslation()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <IconButton label={t.language}>
          <IconLanguage size={20} />
        </IconButton>
      </Menu.Target>
      <Menu.Dropdown>
        {Object.entries(LANGUAGES).map(([code, { name }]) => (
          <Menu.Item
            key={code}
            lang={code}
            fw={code === language ? 700 : undefined}
            aria-current={code === language || undefined}
            onClick={() => setLanguage(code)}
          >
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function ColorSchemeButton() {
  const { t } = useTranslation()
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  return (
    <IconButton
      label={scheme === 'dark' ? t.theme.light : t.theme.dark}
      onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
    >
      {scheme === 'dark' ? <IconSun size={20} /> : <IconMoon size={20} />}
    </IconButton>
  )
}
