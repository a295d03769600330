/**
 * Calls as today's code sends them, on a clock and with ids that are the same each time: messages, the records that are
 * written before them, blobs.
 * @module
 */
import { type CallOptions, createExecutor, defineConfig } from '../../src/index.ts'
import { inProcessBlobs, inProcessStore, virtualClock } from '../../src/local-emulator/index.ts'
import { itemOf, listingKeys } from '../../src/runtime/aws/dynamodb-item.ts'
import { decodeEnvelope, type Envelope } from '../../src/runtime/call/envelope.ts'
import { type CallRecord, expiryOf } from '../../src/runtime/call/record.ts'
import { messageDueAt } from '../../src/runtime/call/scheduled-call.ts'
import { type RunningTask, runAs } from '../../src/runtime/current-task.ts'
import type { Entropy } from '../../src/runtime/entropy.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { OutgoingMessage } from '../../src/runtime/ports/queue.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { resolveSchedule } from '../../src/runtime/schedules/resolve-schedules.ts'
import { argumentLists } from './kept-values.ts'

/** The app that the fixtures' calls are of. Like the values, it may grow and never lose anything. */
export const config = defineConfig({
  name: 'compat',
  queues: { default: {}, ordered: { fifo: true } },
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  blobs: true,
})

/** The tasks of that app: what they return is what the fixtures' calls end with. */
export const tasks = {
  echo: (...args: unknown[]) => args,
  after: (value: unknown) => ({ after: value }),
}

/** A text too long to be kept as it is: a unit so many times, between two others. */
export interface LongText {
  readonly before: string
  readonly unit: string
  readonly times: number
  readonly after: string
}

/** One call, as it was sent. */
export interface WrittenCall {
  readonly name: string
  readonly message: OutgoingMessage
  /** The record that was written before the message, as DynamoDB's item. */
  readonly item: Readonly<Record<string, unknown>>
  /** What the body says, but for the arguments. */
  readonly envelope: Envelope
  /** The name of the list of arguments. */
  readonly args: string
  readonly blob?: { readonly key: string; readonly text: LongText }
}

const START = 1_767_225_600_000

function countingEntropy(): Entropy {
  let count = 0
  const next = () => String(++count).padStart(12, '0')
  return {
    id: () => `019b76da-a800-7000-8000-${next()}`,
    owner: () => `owner-${next()}`,
    fraction: () => 0.5,
  }
}

/** An executor whose messages go nowhere but into a list. */
function sendingStage(version?: string) {
  const clock = virtualClock(START)
  const messages: OutgoingMessage[] = []
  const puts: { readonly key: string; readonly text: string }[] = []
  const store = inProcessStore({ clock })
  const sound = inProcessBlobs({ clock })
  const queue = {
    send: async (_: string, sent: readonly OutgoingMessage[]) => {
      messages.push(...sent)
      return sent.map((_, index) => ({ messageId: String(index) }))
    },
  } as unknown as Backend['queue']
  const backend: Backend = {
    ...{ kind: 'aws', clock, entropy: countingEntropy(), queue, store },
    ...(version !== undefined && { version }),
    blobs: {
      ...sound,
      put: async (key, text, expires) => {
        puts.push({ key, text })
        return sound.put(key, text, expires)
      },
    },
    start: async () => {},
    close: async () => {},
  }
  const executor = createExecutor(config, { tasks, backend })
  return { clock, messages, puts, store, executor }
}

type Stage = ReturnType<typeof sendingStage>
type Send = (stage: Stage, args: unknown[]) => Promise<unknown>

const sendWith =
  (options: CallOptions<'default' | 'ordered'>): Send =>
  ({ executor }, args) =>
    executor.with(options).submit(tasks.echo, ...args)

/** As a task of another call sends. */
const sendFromTask: Send = (stage, args) => {
  const parent = { id: '019b76da-a800-7000-8000-00000000abcd', depth: 6 } as RunningTask
  return runAs(parent, () => sendWith({})(stage, args))
}

/** Again, by hand, after it has failed. */
const sendAgain: Send = async (stage, args) => {
  const { executor, store, messages, clock } = stage
  const { id } = await executor.submit(tasks.echo, ...args)
  const [sent] = messages.splice(0)
  const [record] = await store.read([id])
  const failed = { ...(record as CallRecord), state: 'failed', attempts: 3, failures: 3, failedIn: 'default' }
  await store.put(failed as CallRecord, ['id', 'present'])
  await store.putMessage(id, sent?.body ?? '', failed.expiresAtSeconds)
  await clock.advance({ hours: 1 })
  return executor.retry(id)
}

/** With what middleware sends along: the context of a trace. */
const sendWithHeaders: Send = (stage, args) => {
  stage.executor.use({
    submit: (call, next) => {
      call.headers.traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      call.headers.tracestate = 'errand=t61rcWkgMzE'
      return next()
    },
  })
  return sendWith({})(stage, args)
}

/** As EventBridge Scheduler sends it: nobody writes a record before its claim, and this one is the claim's. */
const sendBySchedule: Send = async ({ messages, store }, args) => {
  const options = { cron: '0 2 * * *', args, overlap: 'skip', expiresInSeconds: 3600 } as const
  const { body, queue } = resolveSchedule('compat', 'nightly', 'echo', options, resolveConfig(config))
  const message = { body: messageDueAt(body, START) }
  messages.push(message)
  const { id, task, payloadHash, createdAt, dueAt, startBy } = decodeEnvelope(message.body)
  const call = { id, task, queue, payloadHash, createdAt, dueAt, ...(startBy !== undefined && { startBy }) }
  const expiresAtSeconds = expiryOf(dueAt, 345_600)
  await store.put({ ...call, state: 'pending', attempts: 0, failures: 0, expiresAtSeconds }, ['id', 'absent'])
}

const cases: readonly (readonly [name: string, args: string, send: Send, version?: string])[] = [
  ['plain', 'plain', sendWith({})],
  ['no arguments', 'none', sendWith({})],
  ['arguments in the table form', 'table', sendWith({})],
  ['delayed', 'plain', sendWith({ delaySeconds: 90 })],
  ['with an expiry', 'plain', sendWith({ expiresInSeconds: 3600 })],
  ['of a tenant', 'plain', sendWith({ tenant: 'acme' })],
  ['fifo', 'plain', sendWith({ queue: 'ordered' })],
  ['fifo of a tenant', 'plain', sendWith({ queue: 'ordered', tenant: 'acme' })],
  ['with a key', 'plain', sendWith({ idempotencyKey: 'order-17', tenant: 'acme' })],
  ['with follow-ups', 'plain', sendWith({ then: tasks.after, catch: tasks.after })],
  ['of a group', 'plain', ({ executor }, args) => executor.map(tasks.echo, [args])],
  ['from a task', 'plain', sendFromTask],
  ['sent again', 'plain', sendAgain],
  ['of a code version', 'plain', sendWith({}), '1a2b3c4d5e6f'],
  ['in a blob', 'large', sendWith({})],
  ['with headers', 'plain', sendWithHeaders],
  ['of a schedule', 'plain', sendBySchedule],
]

/** All of them. */
export function writtenCalls(): Promise<WrittenCall[]> {
  return Promise.all(
    cases.map(async ([name, args, send, version]) => {
      const stage = sendingStage(version)
      await send(stage, (argumentLists[args] as () => unknown[])())
      const message = stage.messages[0] as OutgoingMessage
      const { args: _, ...envelope } = decodeEnvelope(message.body)
      const record = (await stage.store.read([envelope.id]))[0] as CallRecord
      const [put] = stage.puts
      const item = { ...itemOf(record), ...listingKeys(record.id, record) }
      const call = { name, message, item, envelope, args }
      return put === undefined ? call : { ...call, blob: { key: put.key, text: shorten(put.text) } }
    }),
  )
}

/** The longest run of one character is what makes it long. */
function shorten(text: string): LongText {
  const run = /([a-z])\1{1000,}/.exec(text)
  if (run === null)
    throw new Error('the text of a blob is long by one character, or its fixture would be as long')
  const { 0: found, 1: unit = '', index } = run
  return { before: text.slice(0, index), unit, times: found.length, after: text.slice(index + found.length) }
}

/** The text in full. */
export function lengthen({ before, unit, times, after }: LongText): string {
  return before + unit.repeat(times) + after
}
