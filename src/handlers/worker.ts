/**
 * The worker as Lambda runs it: the calls of an event's messages, run together.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import { runMessage } from '../runtime/attempt/attempt.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import {
  type Batch,
  deliveryOf,
  handleEvent,
  type InvocationContext,
  settleMessage,
  type WorkerHandler,
} from './invocation.ts'
import { queueOf, type ReturnedMessages } from './returned-messages.ts'
import { findSuspects, type Received } from './suspects.ts'
import { type OpenEnvironment, openEnvironment } from './worker-environment.ts'

/**
 * Makes the handler of one environment of a worker.
 * @throws InvalidOptionError where the config has no worker of this name
 */
export function createWorkerHandler(app: App, ports: Ports, workerName: string): WorkerHandler {
  return workerHandlerOf(openEnvironment(app, ports, workerName))
}

/** The handler of an environment. */
export function workerHandlerOf(worker: OpenEnvironment): WorkerHandler {
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
  const [suspect] = records.length > 1 ? await findSuspects(worker.ports, records, receivedOf) : []
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

/** A record as it was received. */
function receivedOf({ body, attributes }: SQSRecord): Received {
  return { body, receiveCount: Number(attributes?.ApproximateReceiveCount ?? 1) }
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
