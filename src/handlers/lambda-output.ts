/**
 * Standard output as Lambda reads it: what a process writes there is in the function's log.
 * @module
 */
import { ENV } from '../runtime/config/config.ts'
import { watchOutputs, writeLine } from '../runtime/output-lines.ts'
import type { MetricLines } from './metrics.ts'

/** Lambda's levels that would drop a line at INFO, which is what metrics have of themselves. */
const louder: readonly string[] = ['WARN', 'ERROR', 'FATAL']

/**
 * Where metrics go in a Lambda function; `undefined` anywhere else, where nobody would read them.
 *
 * Written by `process.stdout`, never by `console`: where the function logs as JSON, the runtime wraps what `console` is
 * given into a `message`, and CloudWatch finds no metrics there.
 * @param env the process's variables: Lambda sets AWS_LAMBDA_LOG_LEVEL to the level that a JSON log is cut at
 */
export function lambdaMetricLines(
  env: Readonly<Record<string, string | undefined>>,
): MetricLines | undefined {
  if (env.AWS_LAMBDA_FUNCTION_NAME === undefined) return undefined
  surviveClosedOutput()
  watchOutputs()
  const fleet = env[ENV.fleet]
  const level = env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase() ?? ''
  return {
    write: (line) => writeLine('stdout', line),
    level: louder.includes(level) ? level : 'INFO',
    ...(fleet && { fleet }),
  }
}

let survives = false

/** A stream tells of a closed pipe by an event, which ends a process that does not listen, and its calls with it. */
function surviveClosedOutput(): void {
  if (survives) return
  survives = true
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
}
