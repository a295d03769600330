/**
 * The monitor as a Lambda function behind a function URL, as the construct deploys it.
 * @module
 */
import { type Context, Hono } from 'hono'
import { handle } from 'hono/aws-lambda'
import { secretReader } from '../runtime/aws/secret-reader.ts'
import { systemClock } from '../runtime/clock.ts'
import { parseJson } from '../runtime/codec/parse-json.ts'
import { ENV } from '../runtime/config/config.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { checkFlag } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { MonitorEnv } from './access.ts'
import { cloudWatchLogs } from './cloudwatch-logs.ts'
import type { LogIn } from './log-out.ts'
import { createMonitor } from './monitor.ts'
import type { Authorize, Grant, MonitorOptions } from './monitor-options.ts'
import type { MonitoredExecutor } from './sources.ts'
import { tokenAccess } from './token-access.ts'

/** Who is let into a monitor on Lambda. */
export type MonitorAuth =
  /** Whom AWS let in: the function URL's own auth type is `AWS_IAM`. */
  | 'iam'
  /** Anybody who knows the address. */
  | 'none'
  /** Whoever knows the token that is the text of this secret of Secrets Manager. */
  | { readonly secretArn: string }
  /** Whom this function lets in. */
  | Authorize

/** Options of a monitor on Lambda. */
export interface MonitorHandlerOptions extends Omit<MonitorOptions, 'authorize' | 'basePath'> {
  readonly auth: MonitorAuth
  /** Whether it offers actions, to whom `auth` lets act. @default false */
  readonly manage?: boolean
}

/** A handler of a function URL's requests. */
export type MonitorHandler = ReturnType<typeof handle>

/**
 * The handler of a monitor's Lambda function.
 *
 * @example
 * export const handler = monitorHandler(executor, { auth: 'iam' })
 * @throws InvalidOptionError
 */
export function monitorHandler(executor: MonitoredExecutor, options: MonitorHandlerOptions): MonitorHandler {
  const { auth, manage: mayManage, ...rest } = options
  const manage = checkFlag('`manage` of monitorHandler', mayManage, false)
  const grant = manage ? 'manage' : 'read'
  const gate = new Hono<MonitorEnv>()
  const access = accessOf(executor, auth, grant)
  if (access.routes !== undefined) gate.route('/', access.routes)
  const authorize = async (c: Context) => capped(await access.authorize(c), manage)
  gate.route('/', createMonitor(executor, { ...rest, authorize }, access.logIn))
  return handle(gate)
}

/** The function's role cannot do more. */
function capped(grant: Grant | Response, manage: boolean): Grant | Response {
  return grant === 'manage' && !manage ? 'read' : grant
}

function accessOf(
  executor: MonitoredExecutor,
  auth: MonitorAuth,
  grant: 'read' | 'manage',
): { readonly authorize: Authorize; readonly routes?: Hono<MonitorEnv>; readonly logIn?: LogIn } {
  if (auth === 'none') return { authorize: () => grant }
  if (auth === 'iam') return { authorize: (c) => (isSigned(c) ? grant : false) }
  if (typeof auth === 'function') return { authorize: auth }
  if (typeof auth === 'object' && auth !== null && typeof auth.secretArn === 'string') {
    const readToken = secretReader(auth.secretArn)
    return tokenAccess({ app: executor.config.name, grant, readToken, clock: systemClock })
  }
  throw new InvalidOptionError(
    `\`auth\` of monitorHandler is ${showValue(auth)}, expected 'iam', { secretArn }, a function that says who may come in, or 'none', which lets in anybody`,
  )
}

/** Lambda adds who signed a request, where it has checked; a URL that somebody has opened since does not say. */
function isSigned(c: Context): boolean {
  const env = (c.env ?? {}) as {
    readonly requestContext?: { readonly authorizer?: { readonly iam?: { readonly userArn?: unknown } } }
  }
  return typeof env.requestContext?.authorizer?.iam?.userArn === 'string'
}

/** What the variable holds, as the construct writes it. */
interface DeployedSettings extends Omit<MonitorHandlerOptions, 'auth' | 'logs'> {
  readonly auth: 'iam' | 'none' | 'authorize' | { readonly secretArn: string }
  /** The log groups of the workers and of the dead-letter function. */
  readonly logGroups: readonly string[]
}

/**
 * The options that the construct has put into `ERRAND_MONITOR`.
 * @param authorize what a module of the app's own exports, where `auth` says so
 * @throws InvalidOptionError where the variable is not set, or holds something else
 */
export function deployedOptions(
  env: Readonly<Record<string, string | undefined>>,
  authorize?: Authorize,
): MonitorHandlerOptions {
  const settings = settingsOf(env[ENV.monitor])
  const { auth, logGroups, ...rest } = settings
  return {
    ...rest,
    auth: auth === 'authorize' ? (authorize as Authorize) : auth,
    ...(logGroups.length > 0 && { logs: cloudWatchLogs({ logGroups }) }),
  }
}

function settingsOf(text: string | undefined): DeployedSettings {
  const found = jsonOf(text)
  if (typeof found === 'object' && found !== null && Array.isArray(Reflect.get(found, 'logGroups'))) {
    return found as DeployedSettings
  }
  throw new InvalidOptionError(
    `${ENV.monitor} is ${showValue(text)}, expected the JSON that the construct sets on the function of its monitor`,
  )
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}
