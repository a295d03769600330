/**
 * The monitor of a fleet: a function of its own behind a function URL, with a role that can do what its pages ask for, and
 * what its actions ask for only where they are offered.
 * @module
 */
import { CfnOutput, Stack } from 'aws-cdk-lib'
import {
  type FunctionUrl,
  FunctionUrlAuthType,
  type Function as LambdaFunction,
} from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { ENV } from '../src/runtime/config/config.ts'
import { type FleetFunctionDefaults, makeFunction } from './fleet-function.ts'
import { allow, grantKey, grantManage } from './grants.ts'
import { type FleetControls, grantMonitor, grantOperate } from './inspection-grants.ts'
import type { MonitorSettings } from './monitor-settings.ts'

/** The monitor of a fleet. */
export interface FleetMonitor {
  readonly function: LambdaFunction
  /** Where it is; with `auth: 'iam'`, `url.grantInvokeUrl(role)` lets somebody in. */
  readonly url: FunctionUrl
}

/** What a monitor is made of. */
export interface MonitorParts {
  readonly settings: MonitorSettings
  /** Its own bundle; the variables are those of who inspects. */
  readonly defaults: FleetFunctionDefaults
  readonly controls: FleetControls
  /** The functions whose logs it leads to. */
  readonly logged: readonly LambdaFunction[]
  /** The app's name, for the description. */
  readonly app: string
}

/** An action on many calls, and asking all workers, take their time. */
const TIMEOUT_SECONDS = 60

/** Makes the monitor, and an output with its address. */
export function makeMonitor(parent: Construct, parts: MonitorParts): FleetMonitor {
  const { settings, defaults, app } = parts
  const scope = new Construct(parent, 'Monitor')
  const made = makeFunction(
    scope,
    { ...defaults, environment: { ...defaults.environment, [ENV.monitor]: settingsText(scope, parts) } },
    {
      handler: 'index.handler',
      description: `errand monitor of ${app}`,
      memoryMiB: settings.memoryMiB,
      timeoutSeconds: TIMEOUT_SECONDS,
      logLevel: 'info',
    },
  )
  grantAll(made, parts)
  const isSigned = settings.access.kind === 'iam'
  const url = made.addFunctionUrl({
    authType: isSigned ? FunctionUrlAuthType.AWS_IAM : FunctionUrlAuthType.NONE,
  })
  new CfnOutput(scope, 'Url', { value: url.url, description: `the monitor of errand ${app}` })
  return { function: made, url }
}

/** As `deployedOptions` of the monitor reads it. */
function settingsText(scope: Construct, { settings, logged }: MonitorParts): string {
  const { access, manage, payloads, options } = settings
  return Stack.of(scope).toJsonString({
    auth: access.kind === 'token' ? { secretArn: access.secret.secretArn } : access.kind,
    ...{ manage, payloads, ...options },
    logGroups: logged.map(({ logGroup }) => logGroup.logGroupName),
  })
}

function grantAll(made: LambdaFunction, { settings, controls }: MonitorParts): void {
  const { access, manage, payloads } = settings
  grantMonitor(controls, made, { payloads })
  if (manage) {
    grantManage(controls, made)
    grantOperate(controls, made)
  }
  if (access.kind !== 'token') return
  const { secret } = access
  // Of one that was looked up by its name, the six characters at the end of its ARN are known to AWS alone; `grantRead`
  // would grant `DescribeSecret` as well.
  allow(made, ['secretsmanager:GetSecretValue'], secret.secretFullArn ?? `${secret.secretArn}-??????`)
  grantKey(secret.encryptionKey, made, ['Decrypt'])
}
