/**
 * What the monitor of a fleet is told, checked at synth: what it would refuse when it starts, and a public address that
 * nobody meant.
 * @module
 */
import { existsSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { Annotations } from 'aws-cdk-lib'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { resolveMonitorOptions } from '../src/monitor/monitor-options.ts'
import { showValue } from '../src/runtime/config/nearest-name.ts'
import type { AuthorizeModule } from './bundle-monitor.ts'
import type { FleetMonitorProps } from './fleet-props.ts'
import { checkKeys } from './guard-rails.ts'
import { refusal } from './refusal.ts'

/** Who is let in, by what the function does about it. */
export type MonitorAccess =
  | { readonly kind: 'iam' | 'none' }
  | { readonly kind: 'token'; readonly secret: ISecret }
  | { readonly kind: 'authorize'; readonly module: AuthorizeModule }

/** The props with defaults filled in. */
export interface MonitorSettings {
  readonly access: MonitorAccess
  readonly manage: boolean
  readonly payloads: boolean
  readonly memoryMiB: number
  /** What the function is told as it is. */
  readonly options: Pick<FleetMonitorProps, 'redact' | 'refreshSeconds' | 'lookAt'>
}

const known: Readonly<Record<keyof FleetMonitorProps, true>> = {
  auth: true,
  lookAt: true,
  manage: true,
  memoryMiB: true,
  payloads: true,
  redact: true,
  refreshSeconds: true,
}

const DEFAULT_MEMORY_MIB = 512

/**
 * Checks the prop `monitor`.
 * @throws InvalidOptionError
 */
export function monitorSettings(scope: Construct, props: FleetMonitorProps): MonitorSettings {
  if (typeof props !== 'object' || props === null) {
    throw refusal(scope, `\`monitor\` is ${showValue(props)}, expected an object; ${authForms}`)
  }
  checkKeys(scope, '`monitor`', props, known)
  const { auth, manage, payloads, memoryMiB = DEFAULT_MEMORY_MIB, ...options } = props
  const access = accessOf(scope, auth)
  const checked = checkOptions(scope, { ...options, ...(payloads !== undefined && { payloads }) })
  if (manage !== undefined && typeof manage !== 'boolean') {
    throw refusal(scope, `\`monitor.manage\` is ${showValue(manage)}, expected true or false`)
  }
  if (!Number.isInteger(memoryMiB) || memoryMiB < 128 || memoryMiB > 10_240) {
    throw refusal(
      scope,
      `\`monitor.memoryMiB\` is ${showValue(memoryMiB)}, expected a whole number from 128 to 10240`,
    )
  }
  if (access.kind === 'none') warnOfPublic(scope, manage === true)
  return { access, manage: manage === true, payloads: checked.payloads, memoryMiB, options }
}

/** By the monitor's own rules, which it would hold the function to when it starts. */
function checkOptions(scope: Construct, options: object) {
  try {
    return resolveMonitorOptions({ ...options, authorize: () => false })
  } catch (error) {
    throw refusal(scope, (error as Error).message)
  }
}

const authForms =
  "its address is public, so say who is let in: `auth: 'iam'`, `{ tokenSecret }`, `{ authorize: 'src/monitor-auth.ts' }`, or `'none'` for anybody"

function accessOf(scope: Construct, auth: unknown): MonitorAccess {
  if (auth === 'iam' || auth === 'none') return { kind: auth }
  if (typeof auth === 'object' && auth !== null) {
    const { tokenSecret, authorize, ...others } = auth as Record<string, unknown>
    if (Object.keys(others).length === 0 && (tokenSecret === undefined) !== (authorize === undefined)) {
      if (authorize !== undefined) return { kind: 'authorize', module: moduleOf(scope, authorize) }
      return { kind: 'token', secret: secretOf(scope, tokenSecret) }
    }
  }
  throw refusal(scope, `\`monitor.auth\` is ${showValue(auth)}; ${authForms}`)
}

function secretOf(scope: Construct, given: unknown): ISecret {
  if (typeof given === 'object' && given !== null && 'secretArn' in given) return given as ISecret
  throw refusal(
    scope,
    `\`monitor.auth.tokenSecret\` is ${typeof given === 'string' ? 'a text' : showValue(given)}, expected a Secret of aws-secretsmanager: whatever stands in a template can be read by many`,
  )
}

function moduleOf(scope: Construct, given: unknown): AuthorizeModule {
  const [, path = '', exportName = 'authorize'] = /^(.+?)(?::([A-Za-z_$][\w$]*))?$/.exec(String(given)) ?? []
  const place = resolve(path)
  if (typeof given === 'string' && existsSync(place)) return { path: realpathSync(place), exportName }
  throw refusal(
    scope,
    `\`monitor.auth.authorize\` is ${showValue(given)}, and there is no file ${place}; name the module that exports \`authorize\`, as 'src/monitor-auth.ts' or 'src/auth.ts:mayLook'`,
  )
}

function warnOfPublic(scope: Construct, manage: boolean): void {
  Annotations.of(scope).addWarningV2(
    'errand:public-monitor',
    `\`monitor.auth\` is 'none': whoever knows the address of the monitor sees all calls${manage ? ', and may cancel, retry and purge them' : ''}; ` +
      "take 'iam', `{ tokenSecret }` or `{ authorize }` where that is not meant",
  )
}
