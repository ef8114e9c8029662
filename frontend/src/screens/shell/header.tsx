import { Button, Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import {
  IconDots,
  IconHistory,
  IconKeyOff,
  IconKeyboard,
  IconLanguage,
  IconMoon,
  IconPlus,
  IconSun,
} from '@tabler/icons-react'
import { memo, type ReactNode, type Ref } from 'react'
import { forgetApiKey, type Health } from '../../api/client'
import { LANGUAGES } from '../../i18n/languages'
import { useTranslation } from '../../i18n/translation'
import type { Route } from '../../lib/route'
import { IconButton } from '../../ui/icon-button'
import type { Navigate } from '../../ui/use-route'
import { EngineBadge } from './engine-badge'
import styles from './header.module.css'

/** The one bar: navigation, what the screen puts into it, the engine's state and the settings. It is not
 * rendered again with each page of a document. */
export const Header = memo(function Header(props: {
  health: Health | undefined
  offline: boolean
  screen: Route['screen']
  navigate: Navigate
  onShortcuts: () => void
  /** Whether this browser keeps an API key. */
  hasKey: boolean
  bar: Ref<HTMLDivElement>
}) {
  const { t } = useTranslation()
  const narrow = useMediaQuery('(max-width: 48em)', window.innerWidth <= 768, { getInitialValueInEffect: false })
  const filled = props.screen === 'job'
  const compact = narrow || filled
  const settings = { onShortcuts: props.onShortcuts, hasKey: props.hasKey }
  return (
    <header className={styles.header} data-filled={filled || undefined}>
      <a href="#/" className={styles.brand} aria-label="dsocr">
        <img src="./icon.svg" alt="" />
        <span>dsocr</span>
      </a>
      <nav aria-label={t.nav.main} className={styles.nav}>
        <NavButton {...props} to="new" label={t.nav.new} compact={compact} icon={<IconPlus size={18} />} />
        <NavButton {...props} to="history" label={t.nav.history} compact={compact} icon={<IconHistory size={18} />} />
      </nav>
      <div ref={props.bar} className={styles.slot} />
      <div className={styles.end}>
        <EngineBadge health={props.health} offline={props.offline} />
        {compact ? <SettingsMenu {...settings} /> : <SettingsButtons {...settings} />}
      </div>
    </header>
  )
})

/** A screen in the navigation: icon and name, the icon alone where the bar is full. */
function NavButton(props: {
  to: 'new' | 'history'
  label: string
  icon: ReactNode
  compact: boolean
  screen: Route['screen']
  navigate: Navigate
}) {
  const pressed = props.screen === props.to
  const open = () => props.navigate({ screen: props.to })
  if (props.compact)
    return (
      <IconButton label={props.label} pressed={pressed} onClick={open}>
        {props.icon}
      </IconButton>
    )
  return (
    <Button
      size="compact-md"
      fz="sm"
      variant={pressed ? 'light' : 'subtle'}
      color={pressed ? undefined : 'gray'}
      c={pressed ? undefined : 'var(--ink)'}
      aria-pressed={pressed}
      leftSection={props.icon}
      onClick={open}
    >
      {props.label}
    </Button>
  )
}

type Settings = { onShortcuts: () => void; hasKey: boolean }

function SettingsButtons({ onShortcuts, hasKey }: Settings) {
  const { t } = useTranslation()
  const scheme = useScheme()
  return (
    <>
      {hasKey && (
        <IconButton label={t.apiKey.forget} onClick={forgetKey}>
          <IconKeyOff size={20} />
        </IconButton>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <IconButton label={t.language}>
            <IconLanguage size={20} />
          </IconButton>
        </Menu.Target>
        <Menu.Dropdown>
          <LanguageItems />
        </Menu.Dropdown>
      </Menu>
      <IconButton label={scheme.label} onClick={scheme.toggle}>
        {scheme.icon}
      </IconButton>
      <IconButton label={t.shortcuts.title} onClick={onShortcuts}>
        <IconKeyboard size={20} />
      </IconButton>
    </>
  )
}

function SettingsMenu({ onShortcuts, hasKey }: Settings) {
  const { t } = useTranslation()
  const scheme = useScheme()
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <IconButton label={t.nav.settings}>
          <IconDots size={20} />
        </IconButton>
      </Menu.Target>
      <Menu.Dropdown mah="80dvh" style={{ overflowY: 'auto' }}>
        <Menu.Item leftSection={scheme.icon} onClick={scheme.toggle}>
          {scheme.label}
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={20} />} onClick={onShortcuts}>
          {t.shortcuts.title}
        </Menu.Item>
        {hasKey && (
          <Menu.Item leftSection={<IconKeyOff size={20} />} onClick={forgetKey}>
            {t.apiKey.forget}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Label>{t.language}</Menu.Label>
        <LanguageItems />
      </Menu.Dropdown>
    </Menu>
  )
}

function LanguageItems() {
  const { language, setLanguage } = useTranslation()
  return Object.entries(LANGUAGES).map(([code, { name }]) => (
    <Menu.Item
      key={code}
      lang={code}
      fw={code === language ? 700 : undefined}
      aria-current={code === language || undefined}
      onClick={() => setLanguage(code)}
    >
      {name}
    </Menu.Item>
  ))
}

function useScheme() {
  const { t } = useTranslation()
  const { setColorScheme } = useMantineColorScheme()
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark'
  return {
    label: dark ? t.theme.light : t.theme.dark,
    icon: dark ? <IconSun size={20} /> : <IconMoon size={20} />,
    toggle: () => setColorScheme(dark ? 'light' : 'dark'),
  }
}

function forgetKey(): void {
  forgetApiKey()
  window.location.reload() // nothing that was loaded with the key stays on the screen
}
