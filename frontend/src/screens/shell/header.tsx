import { Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { IconHistory, IconKeyboard, IconLanguage, IconMoon, IconPlus, IconSun } from '@tabler/icons-react'
import type { Health } from '../../api/client'
import styles from '../../app.module.css'
import { LANGUAGES, useWords } from '../../i18n/translation'
import type { Address } from '../../lib/route'
import { IconButton } from '../../ui/icon-button'
import { EngineBadge } from './engine-badge'

export function Header(props: {
  health: Health | undefined
  down: boolean
  screen: Address['screen']
  go: (address: Address) => void
  onKeys: () => void
}) {
  const { words, language, setLanguage } = useWords()
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  return (
    <header className={styles.header}>
      <a href="#/" className={styles.brand} aria-label="dsocr">
        <img src="./icon.svg" alt="" />
        <span>dsocr</span>
      </a>
      <nav aria-label={words.nav.main} style={{ display: 'flex', flex: 1 }}>
        <IconButton
          label={words.nav.new}
          pressed={props.screen === 'new'}
          onClick={() => props.go({ screen: 'new' })}
        >
          <IconPlus size={20} />
        </IconButton>
        <IconButton
          label={words.nav.history}
          pressed={props.screen === 'history'}
          onClick={() => props.go({ screen: 'history' })}
        >
          <IconHistory size={20} />
        </IconButton>
      </nav>
      <EngineBadge health={props.health} down={props.down} />
      <Menu position="bottom-end">
        <Menu.Target>
          <IconButton label={words.language}>
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
      <IconButton
        label={scheme === 'dark' ? words.theme.light : words.theme.dark}
        onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
      >
        {scheme === 'dark' ? <IconSun size={20} /> : <IconMoon size={20} />}
      </IconButton>
      <IconButton label={words.keys.title} onClick={props.onKeys}>
        <IconKeyboard size={20} />
      </IconButton>
    </header>
  )
}
