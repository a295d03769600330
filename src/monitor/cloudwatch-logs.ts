/**
 * The address of a call's log: a query of CloudWatch Logs Insights over the workers' log groups, for the call's id.
 * @module
 */

import { showValue } from '../runtime/config/nearest-name.ts'
import { checkKeys, checkTexts } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { LoggedCall } from './monitor-options.ts'

/** Where the workers log. */
export interface LogPlaces {
  /** As `eu-central-1`. @default AWS_REGION */
  readonly region?: string
  /** The log groups of the workers and of the dead-letter function, 1–50. */
  readonly logGroups: readonly string[]
}

/** An hour, in milliseconds: a log line is written after the fact, and clocks differ. */
const MARGIN_MS = 3_600_000

/** Longest time that a link looks at, from submit on, where the call has not ended. */
const OPEN_MS = 14 * 24 * MARGIN_MS

/**
 * Makes the option `logs` of a monitor.
 * @throws InvalidOptionError
 */
export function cloudWatchLogs(places: LogPlaces): (call: LoggedCall) => string {
  checkKeys('the options of cloudWatchLogs', places, ['region', 'logGroups'])
  const { region = process.env.AWS_REGION } = places
  const logGroups = checkTexts('`logGroups` of cloudWatchLogs', places.logGroups)
  if (typeof region !== 'string' || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) {
    throw new InvalidOptionError(
      `\`region\` of cloudWatchLogs is ${showValue(region)}, expected one such as eu-central-1`,
    )
  }
  return ({ id, createdAt, finishedAt }) => {
    const start = createdAt.getTime() - MARGIN_MS
    const end = finishedAt === undefined ? createdAt.getTime() + OPEN_MS : finishedAt.getTime() + MARGIN_MS
    const query = `fields @timestamp, message, @message | filter id = ${JSON.stringify(id)} | sort @timestamp asc`
    const detail = [
      `end~${quoted(new Date(end).toISOString())}`,
      `start~${quoted(new Date(start).toISOString())}`,
      "timeType~'ABSOLUTE",
      "tz~'UTC",
      `editorString~${quoted(query)}`,
      `source~(${logGroups.map((group) => `~${quoted(group)}`).join('')})`,
    ].join('~')
    const host = `${region}.console.aws.amazon.com`
    return `https://${host}/cloudwatch/home?region=${region}#logsV2:logs-insights${dollars(`?queryDetail=${`~(${detail})`}`)}`
  }
}

/** A text in the console's own notation, where what is no letter or digit is `*` and its code in hexadecimal. */
function quoted(text: string): string {
  return `'${[...text].map((character) => (/[\w.-]/.test(character) ? character : coded(character))).join('')}`
}

function coded(character: string): string {
  return [...Buffer.from(character)].map((byte) => `*${byte.toString(16).padStart(2, '0')}`).join('')
}

/** The console encodes what follows its route twice, and writes `%` as `$`. */
function dollars(text: string): string {
  return encodeURIComponent(encodeURIComponent(text)).replaceAll('%', '$').replaceAll("'", '$2527')
}
