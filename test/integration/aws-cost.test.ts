import { hash } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import {
  type CallRecord,
  cancelChange,
  claimChange,
  expiryOf,
  finishChange,
  mayCreate,
  progressChange,
  retryChange,
} from '../../src/runtime/call/record.ts'
import { DEFAULTS, type ResolvedConfig } from '../../src/runtime/config/config.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { renewChange } from '../../src/runtime/operations/renewal.ts'
import type { Store, Written } from '../../src/runtime/ports/store.ts'
import { countCapacity } from '../support/capacity-counter.ts'
import { startDynamoDbLocal } from '../support/dynamodb-local.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { connectionTo, loopbackRegion, type WireServer } from '../support/loopback-connection.ts'

// DynamoDB Local counts units as AWS does, indexes included. Whole calls are counted elsewhere; this is the floor
// that the store and the transitions set.
const local = await startDynamoDbLocal()
afterAll(() => local?.close())

const now = Date.now()
const retentionSeconds = DEFAULTS.queueRetentionSeconds
const tableName = 'errand-cost'

/** A call as real ones are: long names, a tenant, a parent. */
function realisticCall(): CallRecord {
  return {
    id: systemEntropy.id(now),
    task: 'reports.monthly.buildAndMail',
    queue: 'low-priority-background-work',
    payloadHash: hash('sha256', 'arguments', 'base64url'),
    state: 'pending',
    createdAt: now,
    dueAt: now,
    expiresAtSeconds: expiryOf(now, retentionSeconds),
    attempts: 0,
    failures: 0,
    tenant: 'customer-0190163d-8694-739b-aea5-966c26f8ad91',
    parent: systemEntropy.id(now),
    depth: 2,
  }
}

function backendOf(server: WireServer, listing: boolean) {
  const config: ResolvedConfig = {
    name: 'shop',
    queues: new Map(),
    defaultQueue: 'default',
    workers: new Map(),
    routes: {},
    taskOptions: {},
    record: 'on-submit',
    listing,
    longDelays: false,
    schedules: new Map(),
  }
  const client = new DynamoDBClient({ region: loopbackRegion, ...connectionTo(server) })
  const requests = countCapacity(client)
  const { store } = awsBackend(config, { tableName, queueUrls: {}, dynamodb: { client } })
  return { store, requests, client }
}

async function took(write: Promise<Written>): Promise<void> {
  expect(await write).toMatchObject({ written: true })
}

const create = (store: Store, call: CallRecord) => took(store.put(call, mayCreate(now)))

async function claim(store: Store, call: CallRecord): Promise<string> {
  const { id, state, expiresAtSeconds, attempts, ...told } = call
  const owner = systemEntropy.owner()
  await took(
    store.update(
      call.id,
      claimChange({
        id,
        call: told,
        owner,
        leaseUntil: now + 63_000,
        now,
        retentionSeconds,
        isAttempt: true,
      }),
    ),
  )
  return owner
}

const finish = (store: Store, call: CallRecord, owner: string) => {
  // With the call's 500 bytes, the record stays under 1 KB.
  const result = JSON.stringify([{ url: 1, pages: 2 }, `https://example.com/${'x'.repeat(150)}`, 31])
  const change = finishChange(
    owner,
    { state: 'succeeded', result, failure: false },
    now,
    call.expiresAtSeconds,
  )
  return took(store.update(call.id, change))
}

describe.skipIf(local === undefined)('what a call costs in DynamoDB', () => {
  let plain: ReturnType<typeof backendOf>
  let listed: ReturnType<typeof backendOf>
  beforeAll(async () => {
    const server = local as WireServer
    await createTable(server, tableName)
    plain = backendOf(server, false)
    listed = backendOf(server, true)
  })
  afterAll(() => {
    plain.client.destroy()
    listed.client.destroy()
  })

  /** The units of each request that `run` makes. */
  async function unitsOf({ requests }: typeof plain, run: () => Promise<unknown>): Promise<number[]> {
    requests.length = 0
    await run()
    return requests.map(({ units }) => units)
  }

  test('create, claim and finish are 3 write units without the listing', async () => {
    const call = realisticCall()
    const units = await unitsOf(plain, async () => {
      await create(plain.store, call)
      await finish(plain.store, call, await claim(plain.store, call))
    })
    expect(units).toEqual([1, 1, 1])
  })

  test('the listing is one more, at the creation', async () => {
    const call = realisticCall()
    const units = await unitsOf(listed, async () => {
      await create(listed.store, call)
      await finish(listed.store, call, await claim(listed.store, call))
    })
    expect(units).toEqual([2, 1, 1])
  })

  test('a claim that makes the record saves the creation: 2, or 3 with the listing', async () => {
    for (const [backend, expected] of [[plain, [1, 1]] as const, [listed, [2, 1]] as const]) {
      const call = realisticCall()
      const units = await unitsOf(backend, async () => {
        await finish(backend.store, call, await claim(backend.store, call))
      })
      expect(units).toEqual(expected)
    }
  })

  test('a retry is 1 to give back and 1 to claim, progress and cancelling 1 each', async () => {
    const call = realisticCall()
    await create(listed.store, call)
    const units = await unitsOf(listed, async () => {
      const owner = await claim(listed.store, call)
      await took(listed.store.update(call.id, progressChange(owner, '{"done":3,"total":10}', 1)))
      const error = 'TypeError: cannot read properties of undefined'
      await took(listed.store.update(call.id, retryChange(owner, now, error, call.expiresAtSeconds)))
      await claim(listed.store, call)
    })
    expect(units).toEqual([1, 1, 1, 1])
    const waiting = realisticCall()
    await create(listed.store, waiting)
    const cancelling = () => took(listed.store.update(waiting.id, cancelChange(now)))
    expect(await unitsOf(listed, cancelling)).toEqual([1])
  })

  test('a failure is 2 more: its kept message, and the index of what failed; the claim after a retry by hand takes it out again', async () => {
    const call = realisticCall()
    await create(plain.store, call)
    const owner = await claim(plain.store, call)
    const failure = { state: 'failed', reason: 'threw', failedIn: call.queue, failure: true } as const
    const units = await unitsOf(plain, async () => {
      await plain.store.putMessage(call.id, 'x'.repeat(800), call.expiresAtSeconds)
      await took(plain.store.update(call.id, finishChange(owner, failure, now, call.expiresAtSeconds)))
    })
    expect(units).toEqual([1, 2])
    const [failed] = await plain.store.read([call.id], { consistent: true })
    const renewing = () =>
      took(plain.store.update(call.id, renewChange(failed as CallRecord, now, call.expiresAtSeconds)))
    expect(await unitsOf(plain, renewing)).toEqual([1])
    expect(await unitsOf(plain, () => claim(plain.store, call))).toEqual([2])
  })

  test('a poll is half a read unit a record, one request for 100 of them', async () => {
    const calls = Array.from({ length: 100 }, realisticCall)
    await Promise.all(calls.map((call) => create(plain.store, call)))
    const ids = calls.map(({ id }) => id)
    expect(await unitsOf(plain, () => plain.store.read(ids))).toEqual([50])
    expect(await unitsOf(plain, () => plain.store.read(ids, { consistent: true }))).toEqual([100])
    expect(await unitsOf(plain, () => plain.store.read(ids.slice(0, 1)))).toEqual([0.5])
  })

  test('a refused write bills its unit and sends the record back for nothing', async () => {
    const call = realisticCall()
    await create(plain.store, call)
    plain.requests.length = 0
    expect(await plain.store.put(call, mayCreate(now))).toEqual({ written: false, existing: call })
    // A read would have been billed by an answer; the refused write's own unit is not told with its exception.
    expect(plain.requests).toEqual([])
  })
})
