import { Radio, Text } from '@mantine/core'
import type { Modes } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { number } from '../../lib/format'
import type { Model } from '../../lib/models'
import styles from './upload.module.css'

type Props = { modes: Modes; model: Model | undefined; mode: string; onMode: (mode: string) => void }

/** The mode in three words; the exact modes are in `ExactModes`. */
export function ModeChoice({ modes, model, mode, onMode }: Props) {
  const { t } = useTranslation()
  const offered = modesOf(modes, model)
  const choices = [
    { value: 'auto', ...t.start.auto },
    { value: 'gundam', ...t.start.accurate },
    { value: offered.includes('base') ? 'base' : (offered.at(-1) ?? 'gundam'), ...t.start.fast },
  ].filter(({ value }, place, all) => all.findIndex((each) => each.value === value) === place)
  return (
    <Radio.Group value={mode} onChange={onMode} label={t.start.detail} classNames={{ label: styles.unseen }}>
      <div className={styles.choices}>
        {choices.map(({ value, label, hint }) => (
          <Radio.Card
            key={value}
            value={value}
            className={styles.choice}
            tabIndex={tabIndexOf(value, choices.map((choice) => choice.value), mode)}
          >
            <Text fw={600} size="sm" component="span">{label}</Text>
            <Text size="xs" c="dimmed" component="span">{hint}</Text>
          </Radio.Card>
        ))}
      </div>
    </Radio.Group>
  )
}

/** The modes of the model, each with its use and its number of vision tokens. */
export function ExactModes({ modes, model, mode, onMode }: Props) {
  const { t, language } = useTranslation()
  const visionTokens = model?.visionTokens ?? modes.visionTokens
  const offered = modesOf(modes, model)
  return (
    <Radio.Group label={t.options.mode} value={mode} onChange={onMode}>
      <div className={styles.modes}>
        {offered.map((key) => {
          const spec = modes.modes[key]
          const tokens = (visionTokens[key] ?? []).map((count) => number(count, language))
          return (
            <Radio.Card key={key} value={key} className={styles.mode} tabIndex={tabIndexOf(key, offered, mode)}>
              <Radio.Indicator size="xs" />
              <Text size="sm" fw={600} component="span">{t.modes[key]?.label ?? spec?.label ?? key}</Text>
              <Text size="xs" c="dimmed" component="span" flex={1}>
                {t.modes[key]?.hint(spec?.image_size ?? 0) ?? spec?.description}
              </Text>
              <Text size="xs" c="dimmed" component="span">{t.options.tokens(tokens.join('–'))}</Text>
            </Radio.Card>
          )
        })}
      </div>
    </Radio.Group>
  )
}

function modesOf(modes: Modes, model: Model | undefined): string[] {
  return Object.keys(modes.modes).filter((key) => model === undefined || model.modes.includes(key))
}

/** A group is one tab stop: its choice, or its first radio button where the choice is elsewhere. */
function tabIndexOf(value: string, values: string[], chosen: string): 0 | -1 {
  return value === (values.includes(chosen) ? chosen : values[0]) ? 0 : -1
}
