// Numbers, sizes, times and file names in the format of a language.

export function bytes(size: number, language: string): string {
  const units = ['B', 'kB', 'MB', 'GB'] as const
  const step = Math.min(3, size < 1 ? 0 : Math.floor(Math.log10(size) / 3))
  const value = size / 1000 ** step
  const digits = step === 0 || value >= 100 ? 0 : 1
  return `${number(value, language, digits)} ${units[step] ?? 'B'}`
}

export function number(value: number, language: string, digits = 0): string {
  return value.toLocaleString(language, { maximumFractionDigits: digits })
}

export function percent(fraction: number, language: string): string {
  return fraction.toLocaleString(language, { style: 'percent', maximumFractionDigits: 0 })
}

/** "2.3 s", "1:05", "2:03:20". */
export function duration(seconds: number, language: string): string {
  if (seconds < 60) return `${number(seconds, language, seconds < 10 ? 1 : 0)} s`
  const whole = Math.round(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, place) => (place === 0 ? part : String(part).padStart(2, '0'))).join(':')
}

export function moment(time: number | string, language: string): string {
  return new Date(time).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' })
}

/** A moment of the last days, for where there is little room. */
export function shortMoment(time: number | string, language: string): string {
  const parts = { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' } as const
  return new Date(time).toLocaleString(language, parts)
}

/** A file name that is valid on every file system. */
export function fileName(name: string, extension: string): string {
  const stem = name.replace(/\.[A-Za-z0-9]{1,5}$/, '').replace(/[\\/:*?"<>|\p{Cc}]+/gu, '_')
  return `${stem.trim() || 'document'}.${extension}`
}
