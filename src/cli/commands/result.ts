/**
 * `errand result`: how a call ended.
 * @module
 */
import { inspect } from 'node:util'
import { WaitTimeoutError } from '../../runtime/errors.ts'
import type { Future } from '../../runtime/future/future.ts'
import type { WaitOptions } from '../../runtime/future/waiting.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { plainText } from '../output/plain-text.ts'
import { plainValue } from '../output/plain-value.ts'
import { progressLine } from '../output/progress-line.ts'
import { errorText, type Screen } from '../output/screen.ts'
import { readWait } from '../typed-values.ts'

/** What is typed. */
export interface ResultOptions extends SharedOptions {
  readonly wait?: string | true
}

/** Shows it. */
export async function result(screen: Screen, options: ResultOptions, id: string): Promise<number> {
  const wait = readWait(options.wait) ?? { timeoutSeconds: 0 }
  return connected(options, screen.say, ({ client }) => showEnd(screen, options, client.future(id), wait))
}

type Outcome = Awaited<ReturnType<Future<unknown>['outcome']>>

/** How it ended; `undefined` where it has not in time. */
async function endOf(future: Future<unknown>, wait: WaitOptions): Promise<Outcome | undefined> {
  try {
    return await future.outcome(wait)
  } catch (error) {
    if (WaitTimeoutError.is(error)) return undefined
    throw error
  }
}

/** The same, with a line that shows how far it is meanwhile. */
async function watched(
  screen: Screen,
  future: Future<unknown>,
  wait: WaitOptions,
): Promise<Outcome | undefined> {
  const watching = new AbortController()
  const shown = (async () => {
    for await (const snapshot of future.updates({ signal: watching.signal })) {
      screen.over((columns) => progressLine(snapshot, columns))
    }
    // What goes wrong with watching goes wrong with waiting too, and is told of there.
  })().catch(() => {})
  try {
    return await endOf(future, wait)
  } finally {
    watching.abort()
    await shown
    screen.over(() => '')
  }
}

/** A value as Node shows it: lists and texts in full. */
export function shownValue(value: unknown): string {
  const whole = { maxArrayLength: null, maxStringLength: null }
  return plainText(inspect(value, { depth: 10, colors: false, ...whole }))
}

/** Shows how a call ended, or what it is at where it has not. */
export async function showEnd(
  screen: Screen,
  { json }: SharedOptions,
  future: Future<unknown>,
  wait: WaitOptions,
): Promise<number> {
  const { id } = future
  const isWatched = screen.isTerminal && !json && wait.timeoutSeconds !== 0
  const outcome = await (isWatched ? watched(screen, future, wait) : endOf(future, wait))
  if (outcome === undefined) {
    const state = await future.state()
    if (json) screen.json({ id, state })
    else screen.say(`errand: the call ${id} is ${state}`)
    return EXIT.failed
  }
  if (outcome.state === 'succeeded') {
    if (json) screen.json({ id, state: outcome.state, value: plainValue(outcome.value, 'the result') })
    else screen.line(shownValue(outcome.value))
    return EXIT.ok
  }
  if (outcome.state === 'cancelled') {
    if (json) screen.json({ id, state: outcome.state })
    else screen.say(`errand: the call ${id} was cancelled`)
    return EXIT.failed
  }
  const { reason, error, attempts } = outcome
  if (json) {
    const told = { name: error.name, message: error.message }
    screen.json({ id, state: outcome.state, reason, attempts, error: told })
  } else {
    screen.say(
      `errand: the call ${id} failed (${reason}) after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${errorText(error)}`,
    )
  }
  return EXIT.failed
}
