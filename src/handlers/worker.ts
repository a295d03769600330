/**
 * The worker as Lambda runs it: the calls of an event's messages, run together.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import { runMessage } from '../runtime/attempt.ts'
import type { Ports } from '../runtime/backend.ts'
import { decodeEnvelope } from '../runtime/envelope.ts'
import { isFinal, isLive, killsOf } from '../runtime/record.ts'
import {
  type Batch,
  deliveryOf,
  handleEvent,
  type InvocationContext,
  settleMessage,
  type WorkerHandler,
} from './invocation.ts'
import type { MetricLines } from './metrics.ts'
import { queueOf, type ReturnedMessages } from './returned-messages.ts'
import { type OpenEnvironment, openEnvironment } from './worker-environment.ts'

/**
 * Makes the handler of one environment of a worker.
 * @throws InvalidOptionError where the config has no worker of this name
 */
export function createWorkerHandler(app: App, ports: Ports, workerName: string): WorkerHandler {
  return handlerOf(openEnvironment(app, ports, workerName))
}

/**
 * Makes the same handler, which tells of its attempts. Another function, since what makes handlers in one process
 * passes more than these three.
 * @throws InvalidOptionError where the config has no worker of this name
 */
export function createObservedWorkerHandler(
  app: App,
  ports: Ports,
  workerName: string,
  metrics: MetricLines | undefined,
): WorkerHandler {
  return handlerOf(openEnvironment(app, ports, workerName, metrics))
}

function handlerOf(worker: OpenEnvironment): WorkerHandler {
  return Object.assign(
    (event: SQSEvent, context?: Partial<InvocationContext>) =>
      handleEvent(worker, event, context, (batch) => runBatch(worker, batch), worker.abandonStart),
    { stop: worker.stop },
  )
}

async function runBatch(worker: OpenEnvironment, batch: Batch): Promise<void> {
  const { records, returned } = batch
  const environment = worker.ready() ?? (await worker.get())
  const run = async (record: SQSRecord, isLater = false): Promise<boolean> => {
    const settlement = await runMessage(environment, deliveryOf(record, batch, isLater))
    return settleMessage(batch, record, settlement)
  }
  const again = records.length > 1 ? records.filter(wasReceivedBefore) : []
  const suspect = again.length === 0 ? undefined : await findSuspect(worker, again)
  if (suspect !== undefined) {
    for (const record of records) if (record !== suspect) returned.add(record, 0)
    await returned.flush()
    await run(suspect)
  } else {
    const groups = inOrderOfGroups(worker, records)
    const [first] = records
    if (groups === undefined && first !== undefined && records.length === 1) await run(first)
    else if (groups === undefined) await Promise.all(records.map((record) => run(record)))
    else await Promise.all(groups.map((group) => runGroup(group, run, returned)))
  }
  if (batch.acknowledged.size < records.length) await returned.flush()
}

function wasReceivedBefore({ attributes }: SQSRecord): boolean {
  return Number(attributes?.ApproximateReceiveCount ?? 1) > 1
}

/**
 * The first message whose call was killed before: it runs alone, so that it takes no batch-mate with it a second
 * time. Only a message that was received before can be one, so a batch of new messages costs no read.
 */
async function findSuspect(
  worker: OpenEnvironment,
  again: readonly SQSRecord[],
): Promise<SQSRecord | undefined> {
  const calls = again.flatMap((record) => {
    try {
      return [{ record, id: decodeEnvelope(record.body).id }]
    } catch {
      return []
    }
  })
  const { store, clock } = worker.ports
  const now = clock.now()
  const rows = await store.read(
    calls.map(({ id }) => id),
    { consistent: true },
  )
  const at = rows.findIndex((row) => {
    if (!isLive(row, now) || isFinal(row.state)) return false
    // Seen from the next claim, a running attempt whose lease is over was killed.
    const killedNow = row.state === 'running' && (row.leaseUntil ?? 0) < now ? 1 : 0
    return killsOf(row) + killedNow > 0 && !(row.state === 'running' && killedNow === 0)
  })
  return calls[at]?.record
}

/** The records of each group of a FIFO queue in their order; `undefined` for a standard queue, which has no order. */
function inOrderOfGroups(worker: OpenEnvironment, records: readonly SQSRecord[]): SQSRecord[][] | undefined {
  const [first] = records
  // An event source mapping reads one queue: all records of an event are of it.
  const queue = first === undefined ? undefined : queueOf(worker.ports, first)
  if (queue === undefined || worker.app.config.queues.get(queue)?.fifo !== true) return undefined
  const groups = new Map<string, SQSRecord[]>()
  for (const record of records) {
    const group = record.attributes?.MessageGroupId ?? ''
    const members = groups.get(group)
    if (members === undefined) groups.set(group, [record])
    else members.push(record)
  }
  return [...groups.values()]
}

/** One after the other; what follows a failure goes back, or it would overtake it. */
async function runGroup(
  group: readonly SQSRecord[],
  run: (record: SQSRecord, isLater: boolean) => Promise<boolean>,
  returned: ReturnedMessages,
): Promise<void> {
  let stopped = false
  for (const [index, record] of group.entries()) {
    if (stopped) returned.add(record, 0)
    else stopped = !(await run(record, index > 0))
  }
}
