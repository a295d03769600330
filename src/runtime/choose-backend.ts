/**
 * Which backend an app uses when it does not say: explicit, or safe.
 * @module
 */

import { ENV } from './config/config.ts'
import { showValue, suggestName } from './config/nearest-name.ts'
import { InvalidOptionError, NotWiredError } from './errors.ts'
import type { BackendKind } from './ports/backend.ts'

const kinds = ['aws', 'local', 'eager'] as const

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * 1. What the code says; 2. `ERRAND_BACKEND`; 3. `aws`, where the variables that the construct sets are there and no
 * test runs; 4. `local` in development and under a test runner. Where production shows and nothing is wired it
 * throws: a process that quietly keeps its queue in memory loses work.
 * @throws NotWiredError, InvalidOptionError
 */
export function chooseBackend(named: BackendKind | undefined, env: Environment, app: string): BackendKind {
  const word = named === undefined ? env[ENV.backend] || undefined : named
  if (word !== undefined) {
    if ((kinds as readonly string[]).includes(word)) return word as BackendKind
    const where = named === undefined ? ENV.backend : '`backend`'
    throw new InvalidOptionError(`${where} is ${showValue(word)}; ${suggestName(String(word), kinds)}`)
  }
  // A test must never reach a real queue because of a variable that happens to be set.
  if (isTestRunner(env)) return 'local'
  if (env[ENV.table] && env[ENV.queueUrls]) return 'aws'
  const sign = signOfProduction(env)
  if (sign === undefined) return 'local'
  throw new NotWiredError(
    `no backend for ${JSON.stringify(app)}: this is production (${sign}), and neither ${ENV.table} nor ${ENV.queueUrls} is set; let the construct set them (fleet.addClient(fn, { submit: true, read: true })), or set ${ENV.backend}=local to keep calls in this process's memory, where a restart loses them`,
  )
}

function isTestRunner(env: Environment): boolean {
  return ['VITEST', 'JEST_WORKER_ID', 'NODE_TEST_CONTEXT'].some((name) => env[name] !== undefined)
}

const signs = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'ECS_CONTAINER_METADATA_URI_V4',
  'ECS_CONTAINER_METADATA_URI',
  'KUBERNETES_SERVICE_HOST',
] as const

function signOfProduction(env: Environment): string | undefined {
  if (env.NODE_ENV === 'production') return 'NODE_ENV=production'
  return signs.find((name) => env[name] !== undefined)
}
