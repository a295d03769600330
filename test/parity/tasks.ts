/**
 * The tasks that the parity programs submit. `app` is set once the executor is made.
 * @module
 */
import { currentTask, type Executor, NonRetryableError, RetryAfterError, task } from 'errand'
import { z } from 'zod'

/** The executor that runs the programs; set by the test before the first submit. */
export const app: { executor: Executor | undefined } = { executor: undefined }

function executor(): Executor {
  if (app.executor === undefined) throw new Error('no executor')
  return app.executor
}

/** An error class that travels by its registered name. */
export class PaymentDeclined extends Error {
  readonly cents: number
  constructor(cents: number) {
    super(`declined: ${cents}`)
    this.cents = cents
  }
}

export const add = (a: number, b: number) => a + b
export const slowAdd = async (a: number, b: number) => {
  await new Promise((resolve) => setTimeout(resolve, 5))
  return a + b
}
export const echo = (value: unknown) => value
export const nothing = () => {}
export const boom = () => {
  throw new TypeError('boom')
}
export const boomOnce = () => {
  if (currentTask.attempt === 1) throw new Error('first attempt')
  return `attempt ${currentTask.attempt}`
}
export const boomTwice = () => {
  if (currentTask.attempt < 3) throw new Error(`attempt ${currentTask.attempt}`)
  return currentTask.attempt
}
export const throwText = () => {
  throw 'only text'
}
export const throwNothing = () => {
  throw undefined
}
export const throwFrozen = () => {
  throw Object.freeze(new RangeError('frozen'))
}
export const throwChain = () => {
  throw new Error('outer', { cause: new TypeError('middle', { cause: new RangeError('inner') }) })
}
export const throwPayment = () => {
  throw new PaymentDeclined(1250)
}
export const throwFields = () => {
  throw Object.assign(new Error('with fields'), { status: 404, detail: { id: 'x' } })
}
export const throwAggregate = () => {
  throw new AggregateError([new Error('one'), new TypeError('two')], 'several')
}
export const nonRetryable = () => {
  throw new NonRetryableError('no use')
}
export const retryAfter = () => {
  if (currentTask.attempt === 1) throw new RetryAfterError(0)
  return currentTask.attempt
}
export const returnFunction = () => () => 1
export const returnThenable = () => ({ then: 'not a function' })
export const returnBig = (bytes: number) => 'x'.repeat(bytes)
export const identity = () => ({
  id: currentTask.id,
  task: currentTask.task,
  attempt: currentTask.attempt,
  tenant: currentTask.tenant,
  active: currentTask.active,
})
export const reportProgress = async (total: number) => {
  for (let done = 1; done <= total; done++) await currentTask.progress({ done, total })
  return total
}
export const reportUnawaited = () => {
  for (let done = 1; done <= 5; done++) void currentTask.progress(done)
  return 'returned'
}
export const reportState = async () => {
  await currentTask.updateState({ state: 'PROGRESS', meta: { page: 2 } })
}
export const reportAndFail = async () => {
  await currentTask.progress('half')
  throw new Error('after progress')
}
export const hugeProgress = async () => {
  await currentTask.progress('x'.repeat(5000))
}
export const parent = async (a: number, b: number) => {
  const child = await currentTask.submit(add, a, b)
  return child.id
}
export const parentByExecutor = async (a: number, b: number) => {
  const child = await executor().submit(add, a, b)
  return child.id
}
export const fanOut = async (count: number) => {
  const lists = Array.from({ length: count }, (_, index) => [index, 1] as const)
  const group = await executor().map(add, lists)
  return group.id
}
export const chain = async (left: number): Promise<string[]> => {
  if (left === 0) return [currentTask.id]
  const next = await currentTask.submit(chain, left - 1)
  return [next.id]
}
export const cancelItself = () => executor().future(currentTask.id).cancel()
export const abortItself = async () => {
  const asked = await executor().future(currentTask.id).abort('enough')
  await currentTask.progress({ asked })
  if (currentTask.signal.aborted) throw currentTask.signal.reason
  return 'not told'
}
export const abortIgnored = async () => {
  await executor().future(currentTask.id).abort('enough')
  await currentTask.progress(1)
  return currentTask.signal.aborted
}
export const abortAndFail = async () => {
  await executor().future(currentTask.id).abort('enough')
  throw new Error('its own failure')
}
export const mail = task({
  input: z.object({ to: z.string().email(), copies: z.coerce.number().default(1) }),
  run: ({ to, copies }) => `${copies} to ${to}`,
})
/** A schema that a client does not know: the worker's refusal is seen through it. */
export const late = task({
  input: z.object({ even: z.number().refine((value) => value % 2 === 0, 'not even') }),
  run: ({ even }) => even,
})
export const quick = task({
  run: () => new Promise(() => {}),
  timeoutSeconds: 0.05,
  maxAttempts: 1,
})
export const quickTwice = task({
  run: () => (currentTask.attempt === 1 ? new Promise(() => {}) : 'second'),
  timeoutSeconds: 0.05,
  maxAttempts: 2,
})
export const stopsInTime = task({
  run: () =>
    new Promise((_, reject) => {
      currentTask.signal.addEventListener('abort', () => reject(new Error('stopped by hand')))
    }),
  timeoutSeconds: 0.05,
  maxAttempts: 1,
})
