import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lazyDynamoDb } from '../../src/runtime/aws/aws-clients.ts'
import { dynamoDbStore } from '../../src/runtime/aws/dynamodb-store.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { ResourceNotFoundError } from '../../src/runtime/errors.ts'
import { startDynalite } from '../support/dynalite.ts'
import { startDynamoDbLocal } from '../support/dynamodb-local.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { connectionTo, loopbackRegion, type WireServer } from '../support/loopback-connection.ts'
import { anything, newRecord } from './store-records.ts'
import { describeStore, type StoreSuiteOptions } from './store-suite.ts'

const local = await startDynamoDbLocal()
afterAll(() => local?.close())

function storeAt(server: WireServer, tableName: string) {
  const dynamodb = lazyDynamoDb(connectionTo(server), {}, loopbackRegion)
  const store = dynamoDbStore({
    tableName,
    dynamodb,
    listing: true,
    clock: systemClock,
    entropy: systemEntropy,
  })
  return { store, close: () => dynamodb.close() }
}

/** Runs the suite over one server, all of it in one table. */
function describeServer(name: string, serverOf: () => WireServer, options?: StoreSuiteOptions): void {
  describe(name, () => {
    const tableName = `errand-${randomUUID()}`
    beforeAll(() => createTable(serverOf(), tableName))
    describeStore(name, async () => storeAt(serverOf(), tableName), options)
  })
}

describe('dynalite', () => {
  let server: WireServer
  beforeAll(async () => {
    server = await startDynalite()
  })
  afterAll(() => server.close())
  // dynalite 4.0.0 takes an empty text for an absent one in IN.
  describeServer('DynamoDB on the wire (dynalite)', () => server, { emptyTextInList: false })
})

describe.skipIf(local === undefined)('DynamoDB Local', () => {
  const server = () => local as WireServer
  describeServer('DynamoDB on the wire (DynamoDB Local)', server)

  test('a table that is not there is named, whatever is asked of it', async () => {
    const { store, close } = storeAt(server(), 'shop-gone')
    const asked = [
      store.read(['1']),
      store.put(newRecord(), anything),
      store.update('1', { when: anything, set: { task: 'x' } }),
      store.putResult('1', 'me', 'x', 1),
      store.readResult('1', 'me'),
    ]
    for (const answer of await Promise.allSettled(asked)) {
      const error: unknown = answer.status === 'rejected' ? answer.reason : undefined
      expect(ResourceNotFoundError.is(error)).toBe(true)
      expect(String(error)).toContain('table "shop-gone" is not there')
    }
    await close()
  })
})
