/**
 * `errand submit`: one call, its arguments as JSON.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import { suggestName } from '../../runtime/config/nearest-name.ts'
import type { Future } from '../../runtime/future/future.ts'
import type { CallOptions } from '../../runtime/submit/call-options.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'
import { readJson, readMoment, readSeconds, readWait } from '../typed-values.ts'
import { showEnd } from './result.ts'

/** What is typed. */
export interface SubmitOptions extends SharedOptions {
  readonly wait?: string | true
  readonly queue?: string
  readonly delay?: string
  readonly at?: string
  readonly expires?: string
  readonly key?: string
  readonly tenant?: string
  readonly id?: string
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

function callOptionsOf({ queue, delay, at, expires, key, tenant, id }: SubmitOptions): CallOptions {
  return {
    ...(queue !== undefined && { queue }),
    ...(delay !== undefined && { delaySeconds: readSeconds('--delay', delay) }),
    ...(at !== undefined && { at: readMoment('--at', at) }),
    ...(expires !== undefined && expiryOf(expires)),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(tenant !== undefined && { tenant }),
    ...(id !== undefined && { id }),
  }
}

/** A moment, which has a year in it, or how long from now. */
function expiryOf(text: string): CallOptions {
  return text.includes('-')
    ? { expiresAt: readMoment('--expires', text) }
    : { expiresInSeconds: readSeconds('--expires', text) }
}

function checkTask({ tasks }: DiscoveredApp, task: string): void {
  const names = tasks.map(({ name }) => name)
  if (names.includes(task)) return
  throw new UsageError(`task ${JSON.stringify(task)} is not registered; ${suggestName(task, names)}`)
}
