/**
 * Finds a user's app and reads it in a process of its own, so that nothing it does stays behind.
 * @module
 */
import { ENV } from '../runtime/config/config.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { AppDiscoveryError, discoveryError } from './app-discovery-error.ts'
import { type DiscoveredApp, reviveApp } from './discovered-app.ts'
import { type AppModule, findAppModule } from './find-app-module.ts'
import type { LoadAnswer, Stage } from './load-app.ts'
import type { ToldFailure } from './load-failure.ts'
import { type ProgramRun, runProgram } from './run-program.ts'

/** What to discover. */
export interface DiscoverOptions {
  /** The module, or `path:export`. @default ERRAND_APP, else `errand.app` of package.json, else the usual places */
  readonly app?: string
  /** Where paths begin, and where the app is loaded. @default the process's own */
  readonly cwd?: string
  /** How long it may take, in seconds. @default 30 */
  readonly timeoutSeconds?: number
  /** Variables that the workers will have, over those of the process. @default none */
  readonly environment?: Readonly<Record<string, string>>
}

const TIMEOUT_SECONDS = 30

/**
 * Finds an app and reads its config and tasks. Synchronous, as constructors are. The app's module runs in a process
 * without AWS: no credentials, and its endpoints on a closed port of this machine.
 * @throws AppDiscoveryError that names the module, what failed and what to do
 */
export function discoverApp(options: DiscoverOptions = {}): DiscoveredApp {
  const { app, cwd = process.cwd(), timeoutSeconds = TIMEOUT_SECONDS, environment } = options
  if (!Number.isFinite(timeoutSeconds) || timeoutSeconds <= 0) {
    throw new AppDiscoveryError(
      `\`timeoutSeconds\` is ${showValue(timeoutSeconds)}, expected a number over 0`,
    )
  }
  const module = findAppModule(app, cwd, process.env)
  const env = withoutAws({ ...process.env, ...ofApp(environment) })
  const run = runProgram<LoadAnswer>(import.meta.url, 'load-app', module, {
    cwd,
    env,
    timeoutSeconds,
    flags: ['--enable-source-maps', '--no-warnings'],
  })
  const { answer } = run
  if (answer !== undefined && 'found' in answer) return reviveApp(answer.found)
  throw failed(module, run, timeoutSeconds)
}

function failed(module: AppModule, run: ProgramRun<LoadAnswer>, timeoutSeconds: number): AppDiscoveryError {
  const { answer, output } = run
  const failure = answer !== undefined && 'failure' in answer ? answer.failure : cutShort(run, timeoutSeconds)
  return discoveryError(module.path, failure, output)
}

const stages: Readonly<Record<Stage, string>> = {
  built: 'built',
  imported: 'imported',
  read: 'asked for its executor',
}

/** A process that could not say itself what became of it. */
function cutShort({ answer, ending }: ProgramRun<LoadAnswer>, timeoutSeconds: number): ToldFailure {
  const during =
    answer !== undefined && 'stage' in answer ? `while it was ${stages[answer.stage]}` : 'at its start'
  if (ending !== undefined) return { problem: `its process ended ${during}, with ${ending}` }
  return {
    problem: `took over ${timeoutSeconds} s ${during}, and was ended`,
    advice:
      'what waits for a connection or computes for long belongs in `executor.onWorkerStart`, or in the task; or allow more `timeoutSeconds`',
  }
}

/** What Node itself reads at its start, and names files that may be on Lambda only. */
const ofNode = /^(NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|LD_\w+|PATH)$/

function ofApp(environment: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ofNode.test(name)))
}

/** What would let the app reach AWS, or have errand take calls. */
const withheld = new RegExp(
  `^(${ENV.table}|${ENV.queueUrls}|${ENV.bucket}|${ENV.worker}|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|WEB_IDENTITY_TOKEN_FILE|ROLE_ARN|CONTAINER_\\w+|ENDPOINT_URL\\w*|LAMBDA_\\w+))$`,
)

/** The environment of a process that must not reach AWS. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !withheld.test(name))),
    // Unwired, so that a submit at import is refused: the local backend would run the task, here and now.
    [ENV.backend]: 'aws',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  }
}
