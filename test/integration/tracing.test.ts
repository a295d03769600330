import { context, type Link, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import {
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  type Future,
  InvalidOptionError,
} from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { type TracingOptions, tracing } from 'errand/otel'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { type RecordedSpans, recordSpans } from '../support/recorded-spans.ts'
import { workerStage } from '../support/worker-stage.ts'

const config = defineConfig({
  name: 'traced',
  queues: ['default', 'mails'],
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  routes: { mail: 'mails' },
  taskOptions: { '*': { maxAttempts: 2, backoff: { baseSeconds: 0 } } },
})

const SECRET = 'a-secret-argument'
const tasks = {
  echo: (text: string) => text,
  mail: (text: string) => text.length,
  flaky: (_: string) => {
    if (currentTask.attempt === 1) throw new RangeError('not yet')
    return 'done'
  },
  hopeless: (text: string) => {
    throw { text }
  },
  parent: async (text: string): Promise<string> => (await executor.submit(tasks.mail, text)).id,
  hang: () => new Promise<never>(() => {}),
}

let recorded: RecordedSpans
let executor: Executor
beforeEach(() => {
  recorded = recordSpans()
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(() => {
  recorded.close()
  vi.restoreAllMocks()
})

const traced = (options: TracingOptions = {}) =>
  tracing({ tracerProvider: recorded.tracerProvider, ...options })

/** An executor on the in-process emulator, and how to wait on its clock. */
async function local<T>(
  work: (until: <R>(promise: Promise<R>) => Promise<R>) => Promise<T>,
  options?: TracingOptions,
): Promise<T> {
  const clock = virtualClock()
  executor = createExecutor(config, { tasks, backend: 'local', local: { clock } }) as unknown as Executor
  executor.use(traced(options))
  try {
    return await work((promise) => clock.runUntil(promise))
  } finally {
    await clock.runUntil(executor.close())
  }
}

const idsOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId
const traceOf = (span: ReadableSpan | undefined) => span?.spanContext().traceId
const linksOf = (span: ReadableSpan | undefined) => span?.links.map((link: Link) => link.context.spanId)
const only = (name: string): ReadableSpan => {
  const [span, ...more] = recorded.ended(name)
  if (span === undefined || more.length > 0) throw new Error(`${more.length + (span ? 1 : 0)} spans ${name}`)
  return span
}

/** That a submit and an attempt are told of by the conventions' names, and the one is linked to the other. */
function expectTraced(id: string, task: string, queue: string, attempt = 1): void {
  const [submit, run] = [only(`submit ${queue}`), recorded.ended(`run ${queue}`)[attempt - 1]]
  const attributes = {
    'messaging.system': 'errand',
    'messaging.destination.name': queue,
    'messaging.message.id': id,
    'errand.task': task,
  }
  expect(submit.kind).toBe(SpanKind.PRODUCER)
  expect(submit.attributes).toEqual({
    ...attributes,
    'messaging.operation.name': 'submit',
    'messaging.operation.type': 'send',
  })
  expect(run?.kind).toBe(SpanKind.CONSUMER)
  expect(run?.attributes).toMatchObject({
    ...attributes,
    'messaging.operation.name': 'run',
    'messaging.operation.type': 'process',
    'errand.attempt': attempt,
  })
  expect(linksOf(run)).toEqual([idsOf(submit)])
}

describe('a call', () => {
  test('on the local backend is one trace, its attempt linked to its submit', async () => {
    const id = await local(async (until) => {
      const future: Future<string> = await executor.submit(tasks.echo, SECRET)
      await until(future.result())
      return future.id
    })
    expectTraced(id, 'echo', 'default')
    expect(only('run default').parentSpanContext?.spanId).toBe(idsOf(only('submit default')))
    expect(only('run default').parentSpanContext?.isRemote).toBe(true)
  })

  test('on the eager backend runs inside its submit', async () => {
    executor = createExecutor(config, { tasks, backend: 'eager' }) as unknown as Executor
    executor.use(traced())
    const { id } = await executor.submit(tasks.echo, SECRET)
    expectTraced(id, 'echo', 'default')
    expect(only('run default').parentSpanContext?.spanId).toBe(idsOf(only('submit default')))
  })

  test("of the worker's handler is a child of the invocation's span, and linked to its submit", async () => {
    const on = workerStage(config, tasks)
    on.executor.use(traced())
    const tracer = recorded.tracerProvider.getTracer('lambda')
    const futures = [
      await on.executor.submit(tasks.echo, SECRET),
      await on.executor.submit(tasks.echo, SECRET),
    ]
    const event = await on.receive()
    const invocation = tracer.startSpan('invocation')
    await context.with(trace.setSpan(context.active(), invocation), () => on.invoke(event))
    const submits = recorded.ended('submit default')
    const runs = recorded.ended('run default')
    expect(runs).toHaveLength(2)
    for (const run of runs) {
      const id = run.attributes['messaging.message.id']
      expect(futures.map((future) => future.id)).toContain(id)
      const own = submits.find(({ attributes }) => attributes['messaging.message.id'] === id)
      expect(run.parentSpanContext?.spanId).toBe(invocation.spanContext().spanId)
      expect(linksOf(run)).toEqual([idsOf(own)])
    }
  })

  test("is a child of its submit where that is wished, and linked to the invocation's span", async () => {
    const on = workerStage(config, tasks)
    on.executor.use(traced({ parent: 'submitter' }))
    await on.executor.submit(tasks.echo, SECRET)
    const event = await on.receive()
    const invocation = recorded.tracerProvider.getTracer('lambda').startSpan('invocation')
    await context.with(trace.setSpan(context.active(), invocation), () => on.invoke(event))
    const [submit, run] = [only('submit default'), only('run default')]
    expect(run.parentSpanContext?.spanId).toBe(idsOf(submit))
    expect(linksOf(run)).toEqual([idsOf(submit), invocation.spanContext().spanId])
  })

  test('shows no argument and no result, a thrown one neither', async () => {
    await local(async (until) => {
      for (const task of [tasks.echo, tasks.hopeless]) {
        const future: Future<unknown> = await executor.submit(task, SECRET)
        await until(future.outcome())
      }
    })
    const shown = recorded
      .ended()
      .map(({ name, attributes, events, status }) => ({ name, attributes, events, status }))
    expect(shown.length).toBeGreaterThan(3)
    expect(JSON.stringify(shown)).not.toContain(SECRET)
    expect(recorded.ended('run default').at(-1)?.attributes['error.type']).toBe('_OTHER')
  })
})

describe('attempts', () => {
  test('are a span each, an error with its event and status, and all linked to the one submit', async () => {
    const id = await local(async (until) => {
      const future: Future<string> = await executor.submit(tasks.flaky, SECRET)
      await until(future.result())
      return future.id
    })
    expectTraced(id, 'flaky', 'default', 1)
    expectTraced(id, 'flaky', 'default', 2)
    const [failed, done] = recorded.ended('run default')
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'not yet' })
    expect(failed?.attributes['error.type']).toBe('RangeError')
    expect(failed?.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.type': 'RangeError', 'exception.message': 'not yet' } },
    ])
    expect(done?.status).toEqual({ code: SpanStatusCode.UNSET })
    expect(done?.events).toEqual([])
  })

  test('that never return have a span, which ends at their limit', async () => {
    await local(async (until) => {
      const future: Future<never> = await executor.submit(tasks.hang)
      await until(future.outcome())
    })
    const [span] = recorded.ended('run default')
    expect(span?.attributes['error.type']).toBe('TaskTimeoutError')
    expect(span?.status.message).toContain('reached its time limit')
  })

  test('by hand are linked to the submit too', async () => {
    await local(async (until) => {
      const future: Future<never> = await executor.submit(tasks.hopeless, SECRET)
      await until(future.outcome())
      await executor.retry(future.id)
      await until(future.outcome())
    })
    const runs = recorded.ended('run default')
    expect(runs.map(({ attributes }) => attributes['errand.attempt'])).toEqual([1, 2, 3, 4])
    for (const run of runs) expect(linksOf(run)).toEqual([idsOf(only('submit default'))])
  })
})

describe('a trace goes on', () => {
  test('from a request to a task, and from that to the task that it submits', async () => {
    const request = recorded.tracerProvider.getTracer('web').startSpan('GET /')
    await local(async (until) => {
      const submitting = () => executor.submit(tasks.parent, SECRET)
      const future: Future<string> = await context.with(trace.setSpan(context.active(), request), submitting)
      const id: string = await until(future.result())
      await until(executor.future(id).result())
    })
    const chain = ['submit default', 'run default', 'submit mails', 'run mails'].map(only)
    expect(chain[0]?.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
    for (const [index, span] of chain.slice(1).entries()) {
      expect(span.parentSpanContext?.spanId, span.name).toBe(idsOf(chain[index]))
      expect(traceOf(span)).toBe(request.spanContext().traceId)
    }
  })

  test('to what follows a call, linked to the submit of that', async () => {
    await local(async (until) => {
      const future: Future<string> = await executor.with({ then: tasks.mail }).submit(tasks.echo, SECRET)
      await until(future.result())
      await until(executor.future(`${future.id}:then`).result())
    })
    expect(linksOf(only('run mails'))).toEqual([idsOf(only('submit default'))])
    expect(traceOf(only('run mails'))).toBe(traceOf(only('submit default')))
  })

  test('to what follows a call that became a dead letter, though no attempt of it ran', async () => {
    const on = workerStage(config, tasks)
    on.executor.use(traced())
    const future = await on.executor.with({ catch: tasks.echo }).submit(tasks.mail, SECRET)
    const { Records } = await on.receive('mails')
    await on.queue.send(
      deadLettersOf('mails'),
      Records.map(({ body }) => ({ body })),
    )
    const handler = createDeadLetterHandler(internalsOf(on.executor).app, on.ports)
    await on.invoke(await on.receive(deadLettersOf('mails')), handler, deadLettersOf('mails'))
    await on.invoke(await on.receive())
    expect(only('run default').attributes['messaging.message.id']).toBe(`${future.id}:catch`)
    expect(linksOf(only('run default'))).toEqual([idsOf(only('submit mails'))])
  })

  test('from each call of a map by its own submit', async () => {
    await local(async (until) => {
      const group = await executor.map(tasks.echo, [['a'], ['b'], ['c']])
      await until(group.results())
    })
    const linked = recorded.ended('run default').map(linksOf)
    const submits = recorded.ended('submit default').map((span) => [idsOf(span)])
    expect(submits).toHaveLength(3)
    expect(linked.sort()).toEqual(submits.sort())
  })
})

describe('tracing', () => {
  test('records a submit that fails', async () => {
    await local(async () => {
      await expect(executor.submit(tasks.echo, (() => {}) as never)).rejects.toThrow()
    })
    expect(only('submit default').status.code).toBe(SpanStatusCode.ERROR)
    expect(only('submit default').attributes['error.type']).toBe('UnsupportedValueError')
  })

  test('without an SDK sends no header, and passes on the context that it is called in', async () => {
    const seen: unknown[] = []
    const on = workerStage(config, tasks)
    on.executor.use(tracing())
    on.executor.use({
      run: async (call, next) => {
        seen.push(call.headers)
        await next()
      },
    })
    await on.executor.submit(tasks.echo, 'a')
    await on.invoke(await on.receive())
    const outer = recorded.tracerProvider.getTracer('web').startSpan('GET /')
    const submitting = () => on.executor.submit(tasks.echo, 'b')
    await context.with(trace.setSpan(context.active(), outer), submitting)
    await on.invoke(await on.receive())
    const { traceId, spanId } = outer.spanContext()
    expect(seen).toEqual([{}, { traceparent: `00-${traceId}-${spanId}-01` }])
  })

  test('refuses options that it does not have', () => {
    expect(() => tracing({ parent: 'sender' as 'active' })).toThrow(InvalidOptionError)
    expect(() => tracing({ links: true } as object)).toThrow('`links`')
  })
})
