import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor } from '../../src/index.ts'
import { localBackend, virtualClock } from '../../src/local-emulator/index.ts'
import { type Item, recordOf, resultOf } from '../../src/runtime/aws/dynamodb-item.ts'
import { decodeEnvelope, type Envelope } from '../../src/runtime/call/envelope.ts'
import { payloadHash } from '../../src/runtime/codec/codec.ts'
import { idInGroup, idOfKey, sizeOfGroup } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { argumentsKey, fingerprintOf, resultKey } from '../../src/runtime/ports/blobs.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { differenceOf } from '../fuzz/same-value.ts'
import { argumentLists, codec, values } from './kept-values.ts'
import { type Fixtures, fixturesFolder, writeFixtures, writtenToday } from './write-fixtures.ts'
import { config, lengthen, tasks, type WrittenCall } from './written-calls.ts'

// Messages and records outlive deployments: today's code reads what every version before it wrote, and writes what the
// newest fixtures say.

const versions = readdirSync(fixturesFolder).sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))

function fixturesOf(version: string): Fixtures {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(fixturesFolder, version, `${name}.json`), 'utf8'))
  const names = ['calls', 'records', 'beside', 'values', 'errors', 'ids'] as const
  return Object.fromEntries(names.map((name) => [name, read(name)])) as unknown as Fixtures
}

const keptValue = (name: string) => (values[name] as () => unknown)()
const argumentsOf = (name: string) => (argumentLists[name] as () => unknown[])()

/** Runs a call of a fixture by today's workers, to its end. */
async function run(call: WrittenCall, isRecorded: boolean) {
  const { message, item, envelope, blob } = call
  const clock = virtualClock(envelope.dueAt)
  const backend = localBackend(resolveConfig(config), {
    clock,
    makeHandler: createWorkerHandler,
    makeDeadLetterHandler: createDeadLetterHandler,
  })
  onTestFinished(() => backend.abandon())
  const executor = createExecutor(config, { tasks, backend })
  backend.attach(internalsOf(executor).app)
  if (isRecorded) await backend.store.put(recordOf(item as Item), ['id', 'absent'])
  if (blob !== undefined) await backend.blobs?.put(blob.key, lengthen(blob.text), envelope.dueAt)
  await backend.queue.send(envelope.queue, [message])
  await clock.advance({ hours: 1 })
  return executor
}

describe.each(versions)('%s is read:', (version) => {
  const fixtures = fixturesOf(version)

  test.each(fixtures.calls)('the message $name', ({ message, envelope, args }) => {
    const { args: encoded, ...decoded } = decodeEnvelope(message.body)
    expect(decoded).toEqual(envelope)
    if (envelope.blob === undefined) {
      expect(differenceOf(argumentsOf(args), codec.revive(encoded))).toBeUndefined()
    }
  })

  test.each(
    fixtures.calls.flatMap((call) => [
      { ...call, isRecorded: true },
      { ...call, isRecorded: false },
    ]),
  )('the call $name is run to its end (its record written: $isRecorded)', async (call) => {
    const { envelope } = call
    const executor = await run(call, call.isRecorded)
    const future = executor.future(envelope.id)
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', task: envelope.task })
    expect(differenceOf(argumentsOf(call.args), await future.result({ timeoutSeconds: 0 }))).toBeUndefined()
    if (envelope.onSucceeded !== undefined) {
      const followUp = await executor.future(`${envelope.id}:then`).result({ timeoutSeconds: 0 })
      expect(followUp).toEqual({ after: argumentsOf(call.args) })
    }
  })

  test.each(fixtures.records)('the record $name', ({ record, item }) => {
    expect(recordOf(item as Item)).toEqual(record)
  })

  test.each(fixtures.beside)('$name beside a record', ({ item, text }) => {
    expect(resultOf(item)).toBe(text)
  })

  test.each(fixtures.values)('the value $name', ({ name, text, payloadHash: hash }) => {
    expect(differenceOf(keptValue(name), codec.decode(text))).toBeUndefined()
    const args = [keptValue(name)]
    expect(payloadHash('reports.build', args, codec.encode(args, 'arguments'))).toBe(hash)
  })

  test.each(fixtures.errors)('the thrown $name', ({ name, text }) => {
    expect(differenceOf(keptValue(name), codec.decode(text))).toBeUndefined()
  })

  test('the ids that are made of others', () => {
    const { groups, keys, blobs } = fixtures.ids
    for (const { id, size, calls } of groups) {
      expect(sizeOfGroup(id)).toBe(size)
      for (const call of calls) expect(idInGroup(id, call.index)).toBe(call.id)
    }
    for (const { of, id } of keys) expect(idOfKey(of.tenant, of.task, of.key)).toBe(id)
    for (const blob of blobs) {
      expect(fingerprintOf(blob.text)).toEqual(blob.fingerprint)
      expect(argumentsKey(blob.id, blob.fingerprint)).toBe(blob.argumentsKey)
      expect(resultKey(blob.id, blob.owner)).toBe(blob.resultKey)
    }
  })
})

describe('today', () => {
  const newest = versions.at(-1) ?? ''

  test.each(Object.keys(fixturesOf(newest)) as (keyof Fixtures)[])(
    'writes what the newest fixtures say: %s',
    async (name) => {
      // By way of JSON, which has no undefined.
      const today = JSON.parse(JSON.stringify(await writtenToday())) as Fixtures
      const hint = `the wire format has changed: calls in flight are of ${newest}. Where that is meant, run test/compat/write-fixtures.ts v${versions.length + 1}`
      expect(today[name], hint).toEqual(fixturesOf(newest)[name])
    },
  )

  test('the newest fixtures show every field of an envelope', () => {
    // A new field has to be added here before this compiles, and then to a call of `written-calls.ts`.
    const every: Record<keyof Required<Envelope>, true> = {
      ...{ v: true, id: true, task: true, queue: true, payloadHash: true, createdAt: true, dueAt: true },
      ...{ tenant: true, parent: true, depth: true, sends: true, onSucceeded: true, onFailed: true },
      ...{ version: true, headers: true, blob: true, startBy: true, schedule: true, overlap: true },
    }
    const shown = new Set(fixturesOf(newest).calls.flatMap(({ envelope }) => Object.keys(envelope)))
    expect([...shown].sort()).toEqual(Object.keys(every).sort())
  })

  test('fixtures are written into a new folder only', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'errand-fixtures-'))
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
    await writeFixtures('v7', parent)
    expect(readdirSync(join(parent, 'v7'))).toHaveLength(6)
    await expect(writeFixtures('v7', parent)).rejects.toThrow('EEXIST')
    await expect(writeFixtures('newest', parent)).rejects.toThrow('newest is no version')
  })
})
