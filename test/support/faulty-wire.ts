/**
 * Wire servers with a fault proxy before each: what the SDK is given leads through the proxies, and what checks are
 * made with leads past them.
 * @module
 */
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import { startDynalite } from './dynalite.ts'
import { startDynamoDbLocal } from './dynamodb-local.ts'
import { createTable } from './dynamodb-table.ts'
import { type FaultPlan, noFaults } from './fault-plan.ts'
import { type Exchange, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type QueueAttributes, startFauxqs } from './fauxqs.ts'
import { connectionTo, loopbackRegion } from './loopback-connection.ts'

/** Wire servers that are up, and their proxies. */
export interface FaultyWire {
  readonly sqs: FaultProxy
  readonly dynamodb: FaultProxy
  /** Through the proxies. */
  readonly faulty: AwsOptions
  /** Past the proxies. */
  readonly direct: AwsOptions
  /** The bodies of all messages that a queue holds, visible or not; receives none of them. */
  bodiesIn(queue: string): Promise<string[]>
  /** Changes the plan of both proxies. */
  setPlan(plan: FaultPlan): void
  close(): Promise<void>
}

/** What to start. */
export interface FaultyWireOptions {
  readonly queues: Readonly<Record<string, QueueAttributes>>
  /** `dynalite`, which knows no `ReturnValuesOnConditionCheckFailure`; @default DynamoDB Local where Java is there */
  readonly database?: 'dynalite'
  readonly onExchange?: (exchange: Exchange) => void
}

const tableName = 'errand-calls'

/** Starts them; nothing fails until a plan is set. */
export async function startFaultyWire(options: FaultyWireOptions): Promise<FaultyWire> {
  const local = options.database === undefined ? await startDynamoDbLocal() : undefined
  const database = local ?? (await startDynalite())
  const fauxqs = await startFauxqs(options.queues)
  await createTable(database, tableName)
  const { onExchange } = options
  const shared = { plan: noFaults, ...(onExchange !== undefined && { onExchange }) }
  const sqs = await startFaultProxy({ service: 'sqs', target: fauxqs, ...shared })
  const dynamodb = await startFaultProxy({ service: 'dynamodb', target: database, ...shared })
  const { queueUrls } = fauxqs
  const where = { tableName, queueUrls, region: loopbackRegion }
  return {
    sqs,
    dynamodb,
    faulty: { ...where, sqs: connectionTo(sqs), dynamodb: connectionTo(dynamodb) },
    direct: { ...where, sqs: connectionTo(fauxqs), dynamodb: connectionTo(database) },
    async bodiesIn(queue) {
      const url = queueUrls[queue] ?? ''
      const answer = await fetch(`${fauxqs.endpoint}/_fauxqs/queues/${url.slice(url.lastIndexOf('/') + 1)}`)
      const { messages } = (await answer.json()) as Inspected
      const hidden = messages.inflight.map(({ message }) => message)
      return [...messages.ready, ...messages.delayed, ...hidden].map(({ body }) => body)
    },
    setPlan(plan) {
      sqs.setPlan(plan)
      dynamodb.setPlan(plan)
    },
    async close() {
      await Promise.all([sqs.close(), dynamodb.close()])
      await Promise.all([fauxqs.close(), database.close()])
    },
  }
}

interface Inspected {
  readonly messages: {
    readonly ready: readonly { readonly body: string }[]
    readonly delayed: readonly { readonly body: string }[]
    readonly inflight: readonly { readonly message: { readonly body: string } }[]
  }
}
