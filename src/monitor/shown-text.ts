/**
 * Values, texts, times and durations as people read them. Escaping for HTML is the templates' part, not this one's.
 * @module
 */
import { inspect } from 'node:util'

/** Controls and formatting but line ends, tabs and what joins emoji: invisible, or lying about what stands beside them. */
const invisible = /(?![\n\t\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A text with what is invisible made visible, cut to so many characters. */
export function visible(text: string, length = 500): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text
  return cut.toWellFormed().replace(invisible, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16)
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
  })
}

/** How many characters of a value are shown. */
const VALUE_LENGTH = 20_000

/** A value as a program would write it, cut where it is long. */
export function valueText(value: unknown): string {
  const text = inspect(value, {
    depth: 8,
    breakLength: 100,
    maxArrayLength: 100,
    maxStringLength: 2000,
    customInspect: false,
  })
  return visible(text, VALUE_LENGTH)
}

/** `840 ms`, `1.2 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(Math.round(milliseconds), 0)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const [minutes, hours, days] = [
    Math.floor(whole / 60),
    Math.floor(whole / 3600),
    Math.floor(whole / 86_400),
  ]
  if (minutes < 60) return pair(minutes, 'min', whole % 60, 's')
  return hours < 24 ? pair(hours, 'h', minutes % 60, 'min') : pair(days, 'd', hours % 24, 'h')
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

/** Made once: to make one takes longer than to use it on a whole page. */
const decimal = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

/** `12,345`. */
export function count(value: number): string {
  return decimal.format(value)
}

/** `0.25` as `25 %`, and what is small as `0.4 %`. */
export function percent(fraction: number): string {
  const value = fraction * 100
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`
}

/** Bytes as MiB. */
export function mebibytes(bytes: number): string {
  return `${count(Math.round(bytes / 1024 / 1024))} MiB`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A time in UTC: `09:30:00` of the same day as `now`, `5 Oct 09:30:00` of the same year, else with its whole date. */
export function timeText(iso: string, now: number): string {
  const today = new Date(now).toISOString()
  const [day = '', time = ''] = [iso.slice(0, 10), iso.slice(11, 19)]
  if (day === today.slice(0, 10)) return time
  if (day.slice(0, 4) !== today.slice(0, 4)) return `${day} ${time}`
  return `${Number(day.slice(8))} ${months[Number(day.slice(5, 7)) - 1]} ${time}`
}
