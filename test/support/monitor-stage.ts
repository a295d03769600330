/**
 * A monitor under test: mounted in an app, its executor on virtual time, its records written as a test wants them.
 * @module
 */
import { type Config, createExecutor, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { type Grant, type MonitorOptions, monitor } from 'errand/monitor'
import { Hono } from 'hono'
import { onTestFinished } from 'vitest'
import { encodeEnvelope } from '../../src/runtime/call/envelope.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'

const config = defineConfig({
  name: 'shop',
  queues: ['low', 'high'],
  workers: { foo: { queues: ['low', 'high'] }, bar: { queues: ['high'] } },
})

/** What a test wants of its monitor. */
export interface StageOptions extends Partial<MonitorOptions> {
  readonly config?: Config
  /** Stands in for the backend that the executor has. */
  readonly wrap?: (backend: Backend) => Backend
}

const codec = createCodec({})
/** The codec's text of a value. */
export const encoded = (value: unknown): string => codec.encode(value, 'a value')

/** Makes it, at `/jobs`; whoever sends the header `who` is granted what that says. */
export async function monitorStage(options: StageOptions = {}) {
  const { config: declared = config, wrap, ...rest } = options
  const clock = virtualClock()
  const tasks = { add: (a: number, b: number) => a + b, mail: { send: async () => 'sent' } }
  const plain = createExecutor(declared, { tasks, backend: 'local', local: { clock, startWorkers: false } })
  const own = await internalsOf(plain).connect()
  const backend = wrap?.(own) ?? own
  const executor = wrap === undefined ? plain : createExecutor(declared, { tasks, backend })
  onTestFinished(async () => {
    await clock.runUntil(plain.close())
  })
  const app = new Hono()
  const authorize = (c: { req: { header(name: string): string | undefined } }) =>
    (c.req.header('who') ?? false) as Grant
  const mounted = monitor(executor, { authorize, ...rest })
  app.route('/jobs', mounted)
  const request = (path: string, init: RequestInit = {}) =>
    app.request(`http://shop.test/jobs${path.replace(/^\/(?=$|\?)/, '')}`, {
      ...init,
      headers: { who: 'read', ...init.headers },
    })
  const json = async <Data>(path: string) =>
    (await (await request(path, { headers: { accept: 'application/json' } })).json()) as Data
  const html = async (path: string) => (await request(path)).text()
  /** Writes a record as it is; gives its id. */
  const put = async (fields: Partial<CallRecord> & { readonly id: string }) => {
    const now = clock.now()
    const record: CallRecord = {
      ...{ task: 'add', queue: 'low', payloadHash: 'hash', state: 'succeeded', createdAt: now, dueAt: now },
      ...{
        expiresAtSeconds: Math.ceil(now / 1000) + 86_400,
        attempts: 1,
        failures: 0,
        startedAt: now,
        finishedAt: now,
      },
      ...fields,
    }
    await own.store.put(record, ['id', 'absent'])
    return fields.id
  }
  /** Keeps the message of a call that failed. */
  const keep = async (id: string, task: string, args: readonly unknown[], more: object = {}) => {
    const now = clock.now()
    const envelope = {
      v: 1,
      id,
      task,
      queue: 'low',
      payloadHash: 'hash',
      createdAt: now,
      dueAt: now,
      ...more,
    } as const
    await own.store.putMessage(id, encodeEnvelope(envelope, encoded(args)), Math.ceil(now / 1000) + 86_400)
  }
  return { app, mounted, executor, tasks, clock, backend: own, request, json, html, put, keep }
}
