/**
 * Events through the handlers of a worker and of dead letters: they answer, sound messages complete (or, as dead
 * letters, end), nobody else's call is changed, nothing runs that was not registered, and the log stays a log.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import fc from 'fast-check'
import type { InvocationContext } from '../../src/handlers/invocation.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import {
  type HandlerName,
  handlerStage,
  hashOfVictim,
  type Stage,
  taskNames,
  victimRecord,
} from './handler-stage.ts'
import { flawOf, type LogCapture } from './log-lines.ts'
import {
  type BatchRecipe,
  type BodyRecipe,
  batches,
  type contextNames,
  type MessageRecipe,
  strayEvents,
  victims,
} from './message-recipe.ts'
import { edited } from './texts.ts'

/** What no log may show: it stands in the arguments of every message. */
const secret = 'hunter2'

/** A sound message of the batch, and the call that it brings. */
interface Sound {
  readonly id: string
  readonly record: SQSRecord
  readonly sum: number
}

interface BatchCounts {
  messages: number
  sound: number
  batches: number
  /** How often a batch or what was left of it was delivered. */
  deliveries: number
}

/** Batches that the handler must take: a property for fast-check. */
export function batchProperty(counts: BatchCounts, log: LogCapture, handlerName: HandlerName) {
  return fc.asyncProperty(batches, async (batch) => {
    log.take()
    const stage = handlerStage(handlerName)
    const victimsBefore = await putVictims(stage)
    const states: CallRecord[] = []
    stage.store.watch((record) => states.push(record))
    const { sound, records } = await eventOf(stage, batch)
    counts.batches++
    counts.messages += records.length
    counts.sound += sound.length
    const failures = await invoke(stage, records, contextOf(batch.context, stage))
    counts.deliveries += await completeRest(stage, batch, sound, failures)
    checkSound(stage, sound)
    checkVictims(stage, victimsBefore)
    checkNames(stage, states)
    checkTimes(stage, states)
    if (!endedContexts.includes(batch.context)) checkUnreadable(stage, batch)
    checkLog(log)
  })
}

/** Events that are none: the handler answers all the same. */
export function strayEventProperty(log: LogCapture, handlerName: HandlerName) {
  return fc.asyncProperty(strayEvents, async (event) => {
    log.take()
    const { clock, handler } = handlerStage(handlerName)
    const answer = await clock.runUntil(handler(event as SQSEvent))
    if (!Array.isArray(answer.batchItemFailures)) throw new Error('no answer')
    checkLog(log)
  })
}

async function putVictims({ store, clock }: Stage): Promise<readonly CallRecord[]> {
  const records = victims.map((name) => victimRecord(name, clock))
  for (const record of records) await store.put(record, ['id', 'absent'])
  return records
}

async function eventOf(stage: Stage, { messages }: BatchRecipe) {
  const sound: Sound[] = []
  const records: unknown[] = []
  for (const [index, message] of messages.entries()) {
    if (message.is === 'stray') records.push(message.value)
    else if (message.is === 'poison') records.push(poisonRecord(stage, message, index))
    else {
      const made = await soundMessage(stage, message, index)
      sound.push(made)
      records.push(...(message.twice ? [made.record, made.record] : [made.record]))
    }
  }
  return { sound, records }
}

async function soundMessage(
  stage: Stage,
  message: MessageRecipe & { is: 'sound' },
  index: number,
): Promise<Sound> {
  const { executor, queue, tasks } = stage
  const future = await executor.submit(tasks.add, index, 1000)
  const [received] = await queue.receive('default', { maxMessages: 1, waitSeconds: 0 })
  if (received === undefined) throw new Error('the message of a submit was not received')
  const { messageId, receiptHandle, body } = received
  const record = recordOf(stage, message.attributes, { messageId, receiptHandle, body })
  return { id: future.id, record, sum: index + 1000 }
}

function poisonRecord(
  stage: Stage,
  { body, attributes }: MessageRecipe & { is: 'poison' },
  index: number,
): SQSRecord {
  const text = bodyOf(stage, body, index) as string
  return recordOf(stage, attributes, {
    messageId: `poison-${index}`,
    receiptHandle: `none-${index}`,
    body: text,
  })
}

function recordOf(
  { arn }: Stage,
  attributes: Readonly<Record<string, unknown>> | undefined,
  own: Pick<SQSRecord, 'messageId' | 'receiptHandle' | 'body'>,
): SQSRecord {
  const usual = { ApproximateReceiveCount: '1', ApproximateFirstReceiveTimestamp: '1767225600000' }
  return {
    ...own,
    attributes: (attributes && { ...usual, ...attributes }) as SQSRecord['attributes'],
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: 'us-east-1',
  }
}

function bodyOf({ clock }: Stage, body: BodyRecipe, index: number): unknown {
  const now = clock.now()
  const times = { createdAt: now, dueAt: now }
  const whole = { v: 1, id: `poison-${index}`, task: 'echo', queue: 'default', payloadHash: 'x', ...times }
  const args = { json: [index, secret] }
  switch (body.is) {
    case 'text':
      return body.text
    case 'thing':
      return body.value
    case 'json':
      return JSON.stringify(body.value)
    case 'edited':
      return edited(JSON.stringify({ ...whole, args }), body.edits)
    case 'arguments':
      return `${JSON.stringify(whole).slice(0, -1)},"args":${body.text}}`
    case 'long':
      return JSON.stringify({ ...whole, args, [body.field]: 'x'.repeat(body.length) })
    case 'envelope': {
      const kept = Object.entries({ ...whole, args, ...body.fields }).filter(
        ([key]) => !body.without.includes(key),
      )
      return JSON.stringify(Object.fromEntries(kept))
    }
    case 'forged': {
      // With the right hash it is a message of the call itself: of a call that has ended, or that somebody runs.
      const isNoOp = body.victim === 'final' || body.victim === 'live'
      const payloadHash = body.knowsHash && isNoOp ? hashOfVictim(body.victim) : 'forged'
      return JSON.stringify({ ...whole, id: `victim-${body.victim}`, task: body.task, payloadHash, args })
    }
  }
}

function contextOf(
  name: (typeof contextNames)[number],
  { clock }: Stage,
): Partial<InvocationContext> | undefined {
  const deadline = clock.now() + 60_000
  const answering = (answer: () => unknown) => ({ getRemainingTimeInMillis: answer as () => number })
  switch (name) {
    case 'none':
      return undefined
    case 'null':
      return null as unknown as undefined
    case 'empty':
      return {}
    case 'NaN':
      return answering(() => Number.NaN)
    case 'Infinity':
      return answering(() => Number.POSITIVE_INFINITY)
    case 'a text':
      return answering(() => '60000')
    case 'huge':
      return answering(() => 1e300)
    case 'undefined':
      return answering(() => undefined)
    case 'throwing':
      return answering(() => {
        throw new Error('no time')
      })
    case 'zero':
      return answering(() => 0)
    case 'negative':
      return answering(() => -1e9)
    case 'short':
      return answering(() => 600)
    case 'sound':
      return answering(() => deadline - clock.now())
  }
}

/** Invokes, checks the answer as the event source mapping would, and returns the ids that go back. */
async function invoke(
  { clock, handler }: Stage,
  records: readonly unknown[],
  context: Partial<InvocationContext> | undefined,
): Promise<ReadonlySet<string>> {
  const event = { Records: records } as unknown as SQSEvent
  const { batchItemFailures } = await clock.runUntil(handler(event, context))
  const ids = new Set(records.map((record) => (record as SQSRecord | null | undefined)?.messageId))
  for (const { itemIdentifier } of batchItemFailures) {
    if (!ids.has(itemIdentifier))
      throw new Error(`the answer names ${itemIdentifier}, which is not of the event`)
  }
  return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
}

/** Contexts that say that there is no time left: nothing of the batch may begin. */
const endedContexts: readonly string[] = ['zero', 'negative', 'short']

/** Delivers what went back of the sound ones until nothing does. Returns how often. */
async function completeRest(
  stage: Stage,
  { messages, context }: BatchRecipe,
  sound: readonly Sound[],
  failures: ReadonlySet<string>,
): Promise<number> {
  let left = sound.filter(({ record }) => failures.has(record.messageId))
  // Whoever names a call that was killed before takes the batch for itself, once.
  const mayRunAlone =
    stage.handlerName === 'worker' &&
    messages.some((message) => message.is === 'poison' && namesKilled(message.body))
  const isTwice = messages.some((message) => message.is === 'sound' && message.twice)
  const mayReturn = mayRunAlone || isTwice || endedContexts.includes(context)
  if (left.length > 0 && !mayReturn) throw new Error(`${left.length} sound messages went back`)
  let rounds = 1
  for (; left.length > 0; rounds++) {
    if (rounds > 3) throw new Error(`${left.length} sound messages are stuck`)
    await stage.clock.advance({ seconds: 70 })
    const again = await invoke(
      stage,
      left.map(({ record }) => record),
      contextOf('sound', stage),
    )
    left = left.filter(({ record }) => again.has(record.messageId))
  }
  return rounds
}

function namesKilled(body: BodyRecipe): boolean {
  return body.is === 'forged' && body.victim === 'killed'
}

function checkSound({ store, handlerName }: Stage, sound: readonly Sound[]): void {
  for (const { id, sum } of sound) {
    const record = store.peek(id)
    const isRight =
      handlerName === 'worker'
        ? record?.state === 'succeeded' && record.result === `{"json":${sum}}`
        : record?.state === 'failed' && record.reason === 'undeliverable'
    if (!isRight) {
      throw new Error(`a sound call did not complete: ${JSON.stringify(record)}`)
    }
  }
}

function checkVictims({ store }: Stage, before: readonly CallRecord[]): void {
  for (const record of before) {
    const now = store.peek(record.id)
    // An expired record counts as none: whoever names it begins anew.
    if (record.id === 'victim-expired') continue
    if (now !== record) throw new Error(`${record.id} was changed: ${JSON.stringify(now)}`)
  }
}

function checkNames({ ran, handlerName }: Stage, states: readonly CallRecord[]): void {
  const strange = ran.filter((name) => handlerName === 'deadLetters' || !taskNames.has(name))
  const ended = states.filter(({ state, task }) => state === 'succeeded' && !taskNames.has(task))
  if (strange.length + ended.length > 0) {
    throw new Error(`what nobody registered was run: ${JSON.stringify([strange, ended])}`)
  }
}

/** No call is leased for longer than any environment lives, and none is kept for ever. */
function checkTimes({ clock }: Stage, states: readonly CallRecord[]): void {
  const latest = clock.now() + 25 * 3_600_000
  for (const record of states) {
    const { leaseUntil = 0, createdAt, dueAt, expiresAtSeconds } = record
    const hasTimes = [leaseUntil, createdAt, dueAt, expiresAtSeconds].every(Number.isFinite)
    if (!hasTimes || leaseUntil > latest) throw new Error(`a record has no end: ${JSON.stringify(record)}`)
  }
}

/** A dead letter that nobody can read ends under its message's id. */
function checkUnreadable({ store, handlerName }: Stage, { messages }: BatchRecipe): void {
  if (handlerName !== 'deadLetters') return
  messages.forEach((message, index) => {
    if (message.is !== 'poison' || message.body.is !== 'thing') return
    const record = store.peek(`poison-${index}`)
    if (record?.reason !== 'undeliverable')
      throw new Error(`an unreadable dead letter left no record: ${index}`)
  })
}

function checkLog(log: LogCapture): void {
  for (const line of log.take()) {
    const flaw = flawOf(line, secret)
    if (flaw !== undefined) throw new Error(`a line of the log: ${flaw}: ${line.slice(0, 500)}`)
  }
}
