/**
 * `errand submit`: one call, its arguments as JSON.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import type { CallOptions } from '../../runtime/call-options.ts'
import type { Future } from '../../runtime/future.ts'
import { suggestName } from '../../runtime/nearest-name.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'
import { readJson, readNumber, readWait } from '../typed-values.ts'
import { showEnd } from './result.ts'

/** What is typed. */
export interface SubmitOptions extends SharedOptions {
  readonly wait?: string | true
  readonly queue?: string
  readonly delay?: string
  readonly key?: string
  readonly tenant?: string
}

/** Submits it; prints its id, or with `--wait` what came of it. */
export async function submit(
  screen: Screen,
  options: SubmitOptions,
  task: string,
  ...texts: string[]
): Promise<number> {
  const args = texts.map((text, index) => readJson(text, `argument ${index + 1} of ${task}`))
  const [wait, callOptions] = [readWait(options.wait), callOptionsOf(options)]
  return connected(options, screen.say, async ({ app, client }) => {
    checkTask(app, task)
    const send = client.with(callOptions).submit as unknown as Submit
    const future = await send(task, ...args)
    if (wait !== undefined) return showEnd(screen, options, future, wait)
    if (options.json) screen.json({ id: future.id })
    else screen.line(future.id)
    return EXIT.ok
  })
}

/** By names that are known only now. */
type Submit = (task: string, ...args: readonly unknown[]) => Promise<Future<unknown>>

function callOptionsOf({ queue, delay, key, tenant }: SubmitOptions): CallOptions {
  return {
    ...(queue !== undefined && { queue }),
    ...(delay !== undefined && { delaySeconds: readNumber('--delay', delay, 0, 900) }),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(tenant !== undefined && { tenant }),
  }
}

function checkTask({ tasks }: DiscoveredApp, task: string): void {
  const names = tasks.map(({ name }) => name)
  if (names.includes(task)) return
  throw new UsageError(`task ${JSON.stringify(task)} is not registered; ${suggestName(task, names)}`)
}
