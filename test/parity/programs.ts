/**
 * Small programs with an observable trace: what a user of the futures sees. Each must see the same on every backend.
 * @module
 */
import { asCompleted, CallNotFoundError, type Client, type Executor, type Future, wait } from 'errand'
import * as tasks from './tasks.ts'

/** What a program is given. */
export interface Stage {
  readonly executor: Executor
  /** The same app, by names only. */
  readonly client: Client<Record<string, (...args: never[]) => unknown>>
  /** Makes a key that no other run has. */
  readonly unique: (name: string) => string
}

/** A program returns its trace. */
export type Program = (stage: Stage) => Promise<unknown>

/** Ids differ from run to run; nothing else may. */
const anyId = /\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|key-[\w-]{32})\b/g

function errorShape(error: unknown): unknown {
  if (!(error instanceof Error)) return { thrown: error }
  const { name, cause } = error
  const message = error.message.replace(anyId, '<id>')
  const own = Object.fromEntries(Object.entries(error).filter(([key]) => key !== 'stack'))
  const kind = error.constructor.name
  return { kind, name, message, ...own, ...(cause !== undefined && { cause: errorShape(cause) }) }
}

async function attempt(work: () => unknown): Promise<unknown> {
  try {
    return { value: await work() }
  } catch (error) {
    return { error: errorShape(error) }
  }
}

/** Everything a future tells, once its call has ended. */
async function ending(future: Future<unknown>): Promise<unknown> {
  const outcome = await future.outcome()
  const { state, attempts, failures, reason, progress, task, queue, tenant } = await future.snapshot()
  return {
    outcome: outcome.state === 'failed' ? { ...outcome, error: errorShape(outcome.error) } : outcome,
    snapshot: { state, attempts, failures, reason, progress, task, queue, tenant },
    done: await future.done(),
    running: await future.running(),
    cancelled: await future.cancelled(),
    cancel: await future.cancel(),
    abort: await future.abort(),
    result: await attempt(() => future.result({ timeoutSeconds: 0 })),
    exception: await attempt(async () => errorShape(await future.exception({ timeoutSeconds: 0 }))),
  }
}

/** A program that submits one call and tells all of its end. */
function one(submit: (stage: Stage) => Promise<Future<unknown>>): Program {
  return async (stage) => ending(await submit(stage))
}

/** The future of a follow-up, which is submitted a moment after the end that it follows can be seen. */
async function followUp(executor: Executor, id: string): Promise<Future<unknown>> {
  const future = executor.future(id)
  for (;;) {
    try {
      await future.result()
      return future
    } catch (error) {
      if (!CallNotFoundError.is(error)) return future
    }
  }
}

const values = {
  date: new Date(0),
  map: new Map<unknown, unknown>([['a', new Set([1n])]]),
  bytes: Buffer.from('bytes'),
  view: new Uint8Array([1, 2, 3]).subarray(1),
  holes: [undefined, Number.NaN, -0, Number.POSITIVE_INFINITY],
  error: new RangeError('as data'),
  text: '\ud800 \uffff \u0000 é 😀',
}

/** The programs by name. */
export const programs: Readonly<Record<string, Program>> = {
  'a value': one(({ executor }) => executor.submit(tasks.add, 1, 2)),
  'a promise': one(({ executor }) => executor.submit(tasks.slowAdd, 1, 2)),
  'no value': one(({ executor }) => executor.submit(tasks.nothing)),
  null: one(({ executor }) => executor.submit(tasks.echo, null)),
  'rich values': one(({ executor }) => executor.submit(tasks.echo, values)),
  'a cycle': async ({ executor }) => {
    const knot: { self?: unknown } = {}
    knot.self = knot
    const back = (await (await executor.submit(tasks.echo, knot)).result()) as typeof knot
    return back.self === back
  },
  'hostile keys': one(({ executor }) =>
    executor.submit(tasks.echo, { constructor: 1, toString: 2, hasOwnProperty: 3, then: 4 }),
  ),
  'a thenable look-alike': one(({ executor }) => executor.submit(tasks.returnThenable)),
  'a result beside the record': async ({ executor }) => {
    const future = await executor.submit(tasks.returnBig, 20_000)
    return ((await future.result()) as string).length
  },
  'a result too large': one(({ executor }) => executor.submit(tasks.returnBig, 500_000)),
  'a result that cannot be kept': one(({ executor }) => executor.submit(tasks.returnFunction)),
  'an error': one(({ executor }) => executor.submit(tasks.boom)),
  'an error of text': one(({ executor }) => executor.submit(tasks.throwText)),
  'an error of nothing': one(({ executor }) => executor.submit(tasks.throwNothing)),
  'a frozen error': one(({ executor }) => executor.submit(tasks.throwFrozen)),
  'a chain of causes': one(({ executor }) => executor.submit(tasks.throwChain)),
  'a registered error': one(({ executor }) => executor.submit(tasks.throwPayment)),
  'an error with fields': one(({ executor }) => executor.submit(tasks.throwFields)),
  'several errors': one(({ executor }) => executor.submit(tasks.throwAggregate)),
  'a retry that succeeds': one(({ executor }) => executor.submit(tasks.boomOnce)),
  'two retries': one(({ executor }) => executor.submit(tasks.boomTwice)),
  'a retry at a stated time': one(({ executor }) => executor.submit(tasks.retryAfter)),
  'no retry': one(({ executor }) => executor.submit(tasks.nonRetryable)),
  'a time limit': one(({ executor }) => executor.submit(tasks.quick)),
  'a time limit, then success': one(({ executor }) => executor.submit(tasks.quickTwice)),
  'stopping at the limit': one(({ executor }) => executor.submit(tasks.stopsInTime)),
  'what follows a value': async ({ executor }) => {
    const future = await executor
      .with({ then: tasks.echo, catch: tasks.boom, tenant: 'acme' })
      .submit(tasks.add, 1, 2)
    return [await ending(future), await ending(await followUp(executor, `${future.id}:then`))]
  },
  'what follows an error': async ({ executor }) => {
    const future = await executor.with({ then: tasks.boom, catch: tasks.echo }).submit(tasks.boom)
    return [await ending(future), await ending(await followUp(executor, `${future.id}:catch`))]
  },
  'nothing follows a cancelled call': async ({ executor }) => {
    const future = await executor.with({ then: tasks.echo, catch: tasks.echo }).submit(tasks.abortItself)
    const end = await ending(future)
    return [end, await attempt(() => executor.future(`${future.id}:catch`).state())]
  },
  'a retry by hand': async ({ executor }) => {
    const future = await executor.submit(tasks.nonRetryable)
    const first = await ending(future)
    return [first, await ending(await executor.retry(future.id))]
  },
  'a retry by hand of what has not failed': async ({ executor }) => {
    const future = await executor.submit(tasks.add, 1, 2)
    await future.result()
    return attempt(() => executor.retry(future.id))
  },
  'cancel while running': one(({ executor }) => executor.submit(tasks.cancelItself)),
  'abort that stops': one(({ executor }) => executor.submit(tasks.abortItself)),
  'abort that is ignored': one(({ executor }) => executor.submit(tasks.abortIgnored)),
  'abort, then a failure': one(({ executor }) => executor.submit(tasks.abortAndFail)),
  progress: one(({ executor }) => executor.submit(tasks.reportProgress, 3)),
  'a state of its own': one(({ executor }) => executor.submit(tasks.reportState)),
  'progress, then failure': one(({ executor }) => executor.submit(tasks.reportAndFail)),
  'progress too large': one(({ executor }) => executor.submit(tasks.hugeProgress)),
  'the current task': async ({ executor }) => {
    const future = await executor.with({ tenant: 'acme' }).submit(tasks.identity)
    const { id, ...rest } = await future.result()
    return { same: id === future.id, ...rest }
  },
  map: async ({ executor }) => {
    const lists = Array.from({ length: 25 }, (_, index) => [index, index] as const)
    const group = await executor.map(tasks.add, lists)
    const ended = new Set<string>()
    for await (const future of group.asCompleted()) ended.add(future.id)
    return [await group.results(), ended.size, await group.counts(), await group.done(), group.length]
  },
  'map of nothing': async ({ executor }) => {
    const group = await executor.map(tasks.add, [])
    return [await group.results(), await group.done(), group.length]
  },
  'map of a generator': async ({ executor }) => {
    async function* lists() {
      yield [1, 2] as const
      yield [3, 4] as const
    }
    return (await executor.map(tasks.add, lists())).results()
  },
  'map with a failure': async ({ executor }) => {
    const group = await executor.map(tasks.echo, [[1], [2]])
    const failing = await executor.map(tasks.boom, [[], []])
    return [
      await group.outcomes(),
      (await failing.outcomes()).map((outcome) => outcome.state),
      await attempt(() => failing.results()),
    ]
  },
  'a group from its id': async ({ executor }) => {
    const group = await executor.map(tasks.add, [
      [1, 2],
      [3, 4],
    ])
    return executor.group<number>(group.id).results()
  },
  'a future from its id': async ({ executor, client }) => {
    const { id } = await executor.submit(tasks.add, 20, 22)
    return [await executor.future<number>(id).result(), await client.future<number>(id).result()]
  },
  'a nested submit': async ({ executor }) => {
    const outer = await executor.submit(tasks.parent, 1, 2)
    const inner = executor.future(await outer.result())
    const { parent } = await inner.snapshot()
    return [await inner.result(), parent === outer.id]
  },
  'a nested submit by the executor': async ({ executor }) => {
    const outer = await executor.submit(tasks.parentByExecutor, 1, 2)
    const inner = executor.future(await outer.result())
    return [await inner.result(), (await inner.snapshot()).parent === outer.id]
  },
  'a nested map': async ({ executor }) => {
    const outer = await executor.submit(tasks.fanOut, 5)
    return executor.group<number>(await outer.result()).results()
  },
  'a chain of tasks': async ({ executor }) => {
    let id = (await executor.submit(tasks.chain, 3)).id
    let hops = 0
    for (;;) {
      const [next] = (await executor.future<string[]>(id).result()) as [string]
      if (next === id) return hops
      id = next
      hops += 1
    }
  },
  callbacks: async ({ executor }) => {
    const called: string[] = []
    const future = await executor.submit(tasks.add, 1, 1)
    const both = new Promise<void>((resolve) => {
      future.addDoneCallback((done) => called.push(`early ${done === future}`))
      future.addDoneCallback(() => resolve())
    })
    await both
    await new Promise<void>((resolve) => future.addDoneCallback(() => resolve()))
    return called
  },
  updates: async ({ executor }) => {
    const future = await executor.submit(tasks.boomOnce)
    let last: string | undefined
    for await (const update of future.updates()) last = update.state
    return last
  },
  'wait for all': async ({ executor }) => {
    const futures = [await executor.submit(tasks.add, 1, 1), await executor.submit(tasks.boom)]
    const { done, notDone } = await wait([...futures, ...futures] as Future<unknown>[])
    return [done.size, notDone.size]
  },
  'wait for the first': async ({ executor }) => {
    const future = await executor.submit(tasks.add, 1, 1)
    const { done } = await wait([future], { returnWhen: 'first-completed' })
    return done.has(future)
  },
  'as completed': async ({ executor }) => {
    const futures = [await executor.submit(tasks.add, 1, 1), await executor.submit(tasks.add, 2, 2)]
    const results: number[] = []
    for await (const future of asCompleted(futures)) results.push(await future.result())
    return results.sort()
  },
  'a key twice': async ({ executor, unique }) => {
    const keyed = executor.with({ idempotencyKey: unique('twice') })
    const first = await keyed.submit(tasks.add, 1, 2)
    const second = await keyed.submit(tasks.add, 1, 2)
    return [first.id === second.id, await first.result(), await second.result()]
  },
  'a key whose order of properties differs': async ({ executor, unique }) => {
    const keyed = executor.with({ idempotencyKey: unique('order') })
    const first = await keyed.submit(tasks.echo, { a: 1, b: 2 })
    const second = await keyed.submit(tasks.echo, { b: 2, a: 1, c: undefined })
    return first.id === second.id
  },
  'a key twice at once': async ({ executor, unique }) => {
    const keyed = executor.with({ idempotencyKey: unique('at once') })
    const futures = await Promise.all([1, 2, 3].map(() => keyed.submit(tasks.slowAdd, 20, 1)))
    const [first] = await Promise.all(futures.map(ending))
    return [new Set(futures.map(({ id }) => id)).size, first]
  },
  'progress that nobody waits for': one(({ executor }) => executor.submit(tasks.reportUnawaited)),
  'a key with other arguments': async ({ executor, unique }) => {
    const keyed = executor.with({ idempotencyKey: unique('other') })
    const first = await keyed.submit(tasks.add, 1, 2)
    const second = (await attempt(() => keyed.submit(tasks.add, 1, 3))) as { error: { code: string } }
    return [await first.result(), second.error.code]
  },
  'a key of a failed call': async ({ executor, unique }) => {
    const keyed = executor.with({ idempotencyKey: unique('failed') })
    const first = await keyed.submit(tasks.boom)
    await first.exception()
    return ending(await keyed.submit(tasks.boom))
  },
  'a key of two tenants': async ({ executor, unique }) => {
    const key = unique('tenants')
    const one = await executor.with({ idempotencyKey: key, tenant: 'a' }).submit(tasks.add, 1, 2)
    const two = await executor.with({ idempotencyKey: key, tenant: 'b' }).submit(tasks.add, 1, 3)
    return [one.id === two.id, await one.result(), await two.result()]
  },
  'an input schema': one(({ executor }) =>
    executor.submit(tasks.mail, { to: 'a@example.com', copies: '2' as unknown as number }),
  ),
  'a refused input': async ({ executor }) => {
    const refusal = (await attempt(() => executor.submit(tasks.mail, { to: 'nobody' }))) as {
      error: { code: string; issues: unknown[] }
    }
    return [refusal.error.code, refusal.error.issues.length]
  },
  'a refusal by the worker': async ({ client }) => {
    const future = await client.submit('late', ...([{ even: 3 }] as never[]))
    const outcome = await future.outcome()
    return [
      outcome.state,
      outcome.state === 'failed' && [outcome.reason, errorShape(outcome.error), outcome.attempts],
    ]
  },
  'a route': one(({ executor }) => executor.submit(tasks.slowAdd, 2, 2)),
  'a queue of the sender': one(({ executor }) => executor.with({ queue: 'high' }).submit(tasks.add, 2, 3)),
  'a delay': async ({ executor }) => {
    const future = await executor.with({ delaySeconds: 1 }).submit(tasks.add, 1, 2)
    return ending(future)
  },
  'middleware sees the call': async ({ executor }) => {
    const future = await executor.submit(tasks.echo, 'seen by middleware')
    return future.result()
  },
  'a call that nobody knows': async ({ executor }) => {
    const unknown = executor.future('01a20423-592a-75aa-9a42-19fff880f2e3')
    return [await attempt(() => unknown.result()), await attempt(() => unknown.state())]
  },
}
