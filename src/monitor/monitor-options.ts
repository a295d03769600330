/**
 * What a monitor is made with, checked.
 * @module
 */
import type { Context } from 'hono'
import { showValue } from '../runtime/config/nearest-name.ts'
import {
  checkFlag,
  checkFunction,
  checkKeys,
  checkNumber,
  checkTexts,
} from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { RedactOptions } from './redact-options.ts'

/** What somebody may do: look, or look and act. `false`: neither. */
export type Grant = false | 'read' | 'manage'

/** Says what whoever sent a request may do. A `Response` is sent as it is: a redirect to your log-in, say. */
export type Authorize = (context: Context) => Grant | Response | Promise<Grant | Response>

/** Which call a log link is asked for. */
export interface LoggedCall {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly createdAt: Date
  readonly finishedAt?: Date
}

/** How a monitor is mounted. */
export interface MonitorOptions {
  /** Asked at every request, the static files' included. Whatever it gives but 'read', 'manage' and a `Response` is a refusal. */
  readonly authorize: Authorize
  /** Whether arguments, results, progress and error messages are shown at all. @default true */
  readonly payloads?: boolean
  readonly redact?: RedactOptions
  /** The address of a call's log, https only; see `cloudWatchLogs`. @default none is shown */
  readonly logs?: (call: LoggedCall) => string | undefined
  /**
   * How often anything is read again, and how often an open page asks: seconds, 1–300.
   * @default 2 on the local and eager backends, else 10
   */
  readonly refreshSeconds?: number
  /** How many of the newest calls charts, tasks and figures are made of: 100–10,000. @default 1000 */
  readonly lookAt?: number
  /** The path under which browsers see it, where that is not the one it is mounted at: behind a proxy that takes off a prefix. */
  readonly basePath?: string
}

/** The options with defaults filled in. */
export interface ResolvedMonitorOptions {
  readonly authorize: Authorize
  readonly payloads: boolean
  readonly redact: Required<RedactOptions>
  readonly logs: ((call: LoggedCall) => string | undefined) | undefined
  readonly refreshSeconds: number | undefined
  readonly lookAt: number
  readonly basePath: string | undefined
}

const names = ['authorize', 'payloads', 'redact', 'logs', 'refreshSeconds', 'lookAt', 'basePath'] as const

/**
 * Checks the options of a monitor.
 * @throws InvalidOptionError
 */
export function resolveMonitorOptions(given: MonitorOptions): ResolvedMonitorOptions {
  checkKeys('the options of monitor', given, names)
  if (typeof given.authorize !== 'function') {
    throw new InvalidOptionError(
      `\`authorize\` of monitor is ${showValue(given.authorize)}, expected a function: a monitor shows arguments and results, so say who may see them: 'read', 'manage' or false, from the request's context`,
    )
  }
  const { logs, basePath } = given
  const whole = { whole: true }
  return {
    authorize: given.authorize,
    payloads: checkFlag('`payloads` of monitor', given.payloads, true),
    redact: resolveRedaction(given.redact ?? {}),
    logs: logs === undefined ? undefined : checkFunction('`logs` of monitor', logs),
    refreshSeconds: checkNumber(
      '`refreshSeconds` of monitor',
      given.refreshSeconds,
      { min: 1, max: 300 },
      undefined,
    ),
    lookAt: checkNumber('`lookAt` of monitor', given.lookAt, { min: 100, max: 10_000, ...whole }, 1000),
    basePath: basePath === undefined ? undefined : checkBasePath(basePath),
  }
}

function resolveRedaction(given: RedactOptions): Required<RedactOptions> {
  checkKeys('`redact` of monitor', given, ['keys', 'tasks'])
  const tasks = checkKeys('`redact.tasks` of monitor', given.tasks ?? {}, Object.keys(given.tasks ?? {}))
  for (const [pattern, hidden] of Object.entries(tasks)) {
    const isList = Array.isArray(hidden) && hidden.every((each) => ['string', 'number'].includes(typeof each))
    if (hidden === true || isList) continue
    throw new InvalidOptionError(
      `\`redact.tasks\` has ${showValue(hidden)} for ${showValue(pattern)}, expected true, or a list of names and positions`,
    )
  }
  return { keys: checkTexts('`redact.keys` of monitor', given.keys ?? []), tasks: given.tasks ?? {} }
}

function checkBasePath(path: unknown): string {
  if (typeof path === 'string' && /^(\/[\w.~-]+)*$/.test(path)) return path
  throw new InvalidOptionError(
    `\`basePath\` of monitor is ${showValue(path)}, expected a path such as '/tools/jobs', without a slash at its end`,
  )
}
