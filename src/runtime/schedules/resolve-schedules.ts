/**
 * Checks schedules, and fills in their defaults. What only a calendar or a list of zones can tell is checked where
 * schedules are fired, shown or deployed (`check-schedules.ts`): a worker's start must not wait for either.
 * @module
 */

import { ENVELOPE_VERSION, encodeEnvelope } from '../call/envelope.ts'
import { SCHEDULED_TIME, type ScheduledMessage, scheduleNameForm } from '../call/scheduled-call.ts'
import { createCodec, payloadHash } from '../codec/codec.ts'
import {
  type ConfigSchedule,
  DEFAULTS,
  LIMITS,
  type ResolvedConfig,
  type ResolvedQueue,
  type ResolvedSchedule,
  type ScheduleOptions,
} from '../config/config.ts'
import { longestMatch } from '../config/name-pattern.ts'
import { quoteNames, showValue, suggestName } from '../config/nearest-name.ts'
import { checkFlag, checkKeys, checkName, checkNumber, checkWord } from '../config/option-checks.ts'
import { InvalidOptionError } from '../errors.ts'
import { forScheduler, scheduleInputBytes } from '../ports/one-time-schedules.ts'
import { awsCron } from './cron-expression.ts'

/** Where the calls of schedules may go. */
export type ScheduleQueues = Pick<ResolvedConfig, 'queues' | 'routes' | 'defaultQueue'>

/** A schedule as it is declared, by the config or in code. */
export interface DeclaredSchedule extends ScheduleOptions {
  readonly args?: readonly unknown[]
}

const optionNames = [
  ...['cron', 'rate', 'at', 'timezone', 'args', 'queue', 'enabled', 'jitterMinutes', 'overlap'],
  'expiresInSeconds',
]

/**
 * The schedules of a config, by name.
 * @throws InvalidOptionError
 */
export function resolveSchedules(
  declared: unknown,
  queues: ScheduleQueues,
): ReadonlyMap<string, ResolvedSchedule> {
  if (declared === undefined) return new Map()
  if (typeof declared !== 'object' || declared === null || Array.isArray(declared)) {
    throw new InvalidOptionError(
      `config \`schedules\` is ${showValue(declared)}, expected an object of schedules by name, as { nightly: { task: 'reports.build', cron: '0 2 * * *' } }`,
    )
  }
  return new Map(
    Object.entries(declared as Readonly<Record<string, ConfigSchedule>>).map(([name, schedule]) => {
      const where = `config \`schedules\` ${JSON.stringify(name)}`
      checkKeys(where, schedule, ['task', ...optionNames])
      const { task, ...options } = schedule
      if (typeof task !== 'string' || task === '') {
        throw new InvalidOptionError(
          `${where}: \`task\` is ${showValue(task)}, expected the registered name of a task`,
        )
      }
      return [name, resolveSchedule(where, name, task, options, queues)]
    }),
  )
}

/**
 * One schedule, of a task by its name.
 * @throws InvalidOptionError, UnsupportedValueError where the arguments are none that a message can hold
 */
export function resolveSchedule(
  where: string,
  name: string,
  task: string,
  options: DeclaredSchedule,
  queues: ScheduleQueues,
): ResolvedSchedule {
  checkKeys(where, options, optionNames)
  const nameRule = '1–64 letters, digits, `-` and `_`, beginning with a letter or digit'
  checkName(`${where}: the name`, name, scheduleNameForm, nameRule)
  const { overlap, expiresInSeconds } = options
  const jitter = {
    min: 1,
    max: LIMITS.jitterMinutes,
    whole: true,
    why: "whole minutes, EventBridge Scheduler's window",
  }
  const expiry = { min: 1, max: LIMITS.expirySeconds, whole: true, why: 'seconds after the due time' }
  const defaults = DEFAULTS.schedule
  const resolved = {
    name,
    task,
    expression: expressionOf(where, options),
    timezone: timezoneOf(where, options),
    queue: queueOf(where, task, options.queue, queues).name,
    enabled: checkFlag(`${where}: \`enabled\``, options.enabled, defaults.enabled),
    jitterMinutes: checkNumber(
      `${where}: \`jitterMinutes\``,
      options.jitterMinutes,
      jitter,
      defaults.jitterMinutes,
    ),
    overlap: checkWord(`${where}: \`overlap\``, overlap, ['skip', 'allow'], defaults.overlap),
  }
  checkNumber(`${where}: \`expiresInSeconds\``, expiresInSeconds, expiry, undefined)
  return { ...resolved, body: bodyOf(where, resolved, options) }
}

function expressionOf(where: string, options: DeclaredSchedule): string {
  const given = (['cron', 'rate', 'at'] as const).filter((kind) => options[kind] !== undefined)
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none of them' : given.map((kind) => `\`${kind}\``).join(' and ')
    throw new InvalidOptionError(
      `${where} has ${found}, expected exactly one of \`cron\`, \`rate\` and \`at\`, as { cron: '0 2 * * *' }`,
    )
  }
  if (options.cron !== undefined) return `cron(${awsCron(`${where}: \`cron\``, options.cron)})`
  return options.at === undefined ? rateOf(where, options.rate) : atOf(where, options)
}

/** What a rate counts, how many of them it has to divide, and the expression that says so. */
const rates = {
  minutes: {
    of: 60,
    fields: (count: number) => (count === 60 ? '0 *' : count === 1 ? '* *' : `0/${count} *`),
  },
  hours: { of: 24, fields: (count: number) => (count === 24 ? '0 0' : count === 1 ? '0 *' : `0 0/${count}`) },
  days: { of: 1, fields: () => '0 0' },
}

/**
 * A rate as a cron expression. EventBridge's own rates begin when a schedule is deployed: when they are due nobody could
 * tell, and it would differ from one deployment to the next.
 */
function rateOf(where: string, rate: unknown): string {
  const entries = Object.entries(Object(rate)) as [keyof typeof rates, unknown][]
  const [unit, count] = entries[0] ?? []
  if (entries.length === 1 && unit !== undefined && Object.hasOwn(rates, unit)) {
    const { of, fields } = rates[unit]
    if (Number.isInteger(count) && (count as number) >= 1 && of % (count as number) === 0) {
      return `cron(${fields(count as number)} * * ? *)`
    }
    throw new InvalidOptionError(
      `${where}: \`rate\` is ${showValue(count)} ${unit}, expected a whole number that divides ${of}; the times are counted from midnight UTC, so that they do not depend on when it is deployed. Else use \`cron\``,
    )
  }
  throw new InvalidOptionError(
    `${where}: \`rate\` is ${showValue(rate)}, expected one unit, as { minutes: 5 }, { hours: 2 } or { days: 1 }`,
  )
}

const localForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/

function atOf(where: string, { at, timezone }: DeclaredSchedule): string {
  if (at instanceof Date && Number.isFinite(at.getTime()) && timezone === undefined) {
    return `at(${ofKnownYear(where, at.toISOString()).slice(0, 19)})`
  }
  if (typeof at === 'string' && localForm.test(at)) {
    const whole = at.length === 16 ? `${at}:00` : at
    const ms = Date.parse(`${whole}Z`)
    if (!Number.isNaN(ms) && new Date(ms).toISOString().startsWith(whole))
      return `at(${ofKnownYear(where, whole)})`
    throw new InvalidOptionError(
      `${where}: \`at\` is ${showValue(at)}, a time that the calendar does not have`,
    )
  }
  const found = at instanceof Date && timezone !== undefined ? 'a Date beside a `timezone`' : showValue(at)
  throw new InvalidOptionError(
    `${where}: \`at\` is ${found}, expected a local time of \`timezone\`, as '2026-12-24T18:00', or a Date alone`,
  )
}

/** The years that a cron expression of EventBridge knows; a time beyond them is a mistake. */
function ofKnownYear(where: string, at: string): string {
  if (at >= '1970' && at < '2200') return at
  throw new InvalidOptionError(`${where}: \`at\` is ${showValue(at)}, expected a year from 1970 to 2199`)
}

function timezoneOf(where: string, { timezone, rate }: DeclaredSchedule): string {
  if (timezone === undefined) return DEFAULTS.schedule.timezone
  if (typeof timezone !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{1,49}$/.test(timezone)) {
    throw new InvalidOptionError(
      `${where}: \`timezone\` is ${showValue(timezone)}, expected IANA's name of a zone, as 'Europe/Berlin'`,
    )
  }
  if (rate !== undefined) {
    throw new InvalidOptionError(
      `${where}: \`timezone\` is given, and a \`rate\` is counted in UTC; use \`cron\``,
    )
  }
  return timezone
}

function queueOf(
  where: string,
  task: string,
  named: unknown,
  { queues, routes, defaultQueue }: ScheduleQueues,
): ResolvedQueue {
  const name = named ?? longestMatch(routes, task) ?? defaultQueue
  const queue = queues.get(name as string)
  if (queue === undefined) {
    throw new InvalidOptionError(
      `${where}: \`queue\` is ${showValue(name)}, which is not declared; ${suggestName(String(name), queues.keys())}`,
    )
  }
  if (!queue.draining) return queue
  const taking = [...queues.values()].filter(({ draining }) => !draining).map((each) => each.name)
  throw new InvalidOptionError(
    `${where}: the queue ${showValue(name)} is draining and takes no new calls; use one of ${quoteNames(taking)}`,
  )
}

function bodyOf(
  where: string,
  { name, task, queue, overlap }: Omit<ResolvedSchedule, 'body'>,
  { args = [], expiresInSeconds }: DeclaredSchedule,
): string {
  if (!Array.isArray(args)) {
    throw new InvalidOptionError(`${where}: \`args\` is ${showValue(args)}, expected a list of arguments`)
  }
  const encoded = createCodec().encode(args, `${where}: arguments`)
  const message: ScheduledMessage = {
    v: ENVELOPE_VERSION,
    schedule: name,
    scheduledAt: SCHEDULED_TIME,
    task,
    queue,
    payloadHash: payloadHash(task, args, encoded),
    ...(overlap === 'skip' && { overlap }),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
  }
  const body = encodeEnvelope(message, forScheduler(encoded))
  const bytes = scheduleInputBytes(body)
  if (bytes <= LIMITS.scheduleInputBytes) return body
  throw new InvalidOptionError(
    `${where}: \`args\` make an input of ${bytes} bytes, at most ${LIMITS.scheduleInputBytes} (EventBridge Scheduler's 256 KB); store the data and pass its key`,
  )
}
