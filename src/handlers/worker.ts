/**
 * The worker as Lambda runs it: an `SQSEvent` in, `batchItemFailures` out.
 *
 * It never throws: a throw fails the whole batch. It never lists an id that is not in the event: that fails the
 * whole batch too. And a timer keeps the event loop alive until it has answered: an invocation that runs out of
 * things to do ends with `null`, which the event source mapping reads as success.
 * @module
 */
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import { type Delivery, runMessage } from '../runtime/attempt.ts'
import type { Ports } from '../runtime/backend.ts'
import type { ResolvedWorker } from '../runtime/config.ts'
import { decodeEnvelope } from '../runtime/envelope.ts'
import { isFinal, isLive, killsOf } from '../runtime/record.ts'
import { createReturnedMessages, queueOf, type ReturnedMessages } from './returned-messages.ts'
import { type OpenEnvironment, openEnvironment } from './worker-environment.ts'

/** What the handler needs of Lambda's context. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number
}

/** A worker's handler. */
export interface WorkerHandler {
  (event: SQSEvent, context?: Partial<InvocationContext>): Promise<SQSBatchResponse>
  /** Runs the stop hooks, where the start hooks ran. */
  stop(): Promise<void>
}

/**
 * Makes the handler of one environment of a worker.
 * @throws InvalidOptionError where the config has no worker of this name
 */
export function createWorkerHandler(app: App, ports: Ports, workerName: string): WorkerHandler {
  const worker = openEnvironment(app, ports, workerName)
  return Object.assign(
    (event: SQSEvent, context?: Partial<InvocationContext>) => handle(worker, event, context),
    { stop: worker.stop },
  )
}

async function handle(
  worker: OpenEnvironment,
  event: SQSEvent,
  context: Partial<InvocationContext> | undefined,
): Promise<SQSBatchResponse> {
  const { clock } = worker.ports
  const records = recordsOf(event)
  const remainingMs = remainingOf(worker.settings, context)
  const batch: Batch = {
    records,
    deadline: clock.now() + remainingMs,
    budgetMs: remainingMs,
    acknowledged: new Set(),
    returned: createReturnedMessages(worker.ports, worker.log),
  }
  await new Promise<void>((resolve) => {
    // It ends the invocation in time, and keeps the event loop alive until then.
    const outOfTime = () => {
      worker.abandonStart()
      // What goes back is hidden while there is time for it.
      clock.setTimer(resolve, ANSWER_RESERVE_MS / 2)
      void batch.returned.flush().then(resolve)
    }
    const timer = clock.setTimer(outOfTime, Math.max(remainingMs - ANSWER_RESERVE_MS, 0))
    const end = () => {
      timer.cancel()
      resolve()
    }
    runBatch(worker, batch).then(end, (error: unknown) => {
      worker.log('error', 'the batch was returned', { error })
      end()
    })
  })
  return returning(records.filter(({ messageId }) => !batch.acknowledged.has(messageId)))
}

/** An event's records, and none where it is no event of SQS: a throw would fail whatever else is in it. */
function recordsOf(event: SQSEvent): readonly SQSRecord[] {
  const records: unknown = event?.Records
  return Array.isArray(records)
    ? records.filter((record) => typeof record === 'object' && record !== null)
    : []
}

/** The answer that gives these records back. */
function returning(records: readonly SQSRecord[]): SQSBatchResponse {
  return { batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}

/** The answer that gives a whole event back. */
export function returnAll(event: SQSEvent): SQSBatchResponse {
  return returning(recordsOf(event))
}

/** The messages of one invocation, and what has become of them. */
interface Batch {
  readonly records: readonly SQSRecord[]
  /** When the environment is killed, in epoch milliseconds. */
  readonly deadline: number
  /** How long the invocation has from its beginning. */
  readonly budgetMs: number
  /** The ids of the messages that may be deleted. */
  readonly acknowledged: Set<string>
  readonly returned: ReturnedMessages
}

/** What the answer itself may take, once the time is over. */
const ANSWER_RESERVE_MS = 500

/** A context that is missing, or says nonsense, must not make a lease without end. */
function remainingOf(worker: ResolvedWorker, context: Partial<InvocationContext> | undefined): number {
  const longest = worker.timeoutSeconds * 1000
  try {
    const remaining = context?.getRemainingTimeInMillis?.()
    if (remaining === undefined || !Number.isFinite(remaining)) return longest
    return Math.min(Math.max(remaining, 0), 24 * 3600 * 1000)
  } catch {
    return longest
  }
}

async function runBatch(worker: OpenEnvironment, batch: Batch): Promise<void> {
  const { records, returned } = batch
  const environment = worker.ready() ?? (await worker.get())
  const run = async (record: SQSRecord, isLater = false): Promise<boolean> => {
    const settlement = await runMessage(environment, deliveryOf(record, batch, isLater))
    if (settlement.acknowledge) batch.acknowledged.add(record.messageId)
    else if (settlement.hideSeconds !== undefined) returned.add(record, settlement.hideSeconds)
    return settlement.acknowledge
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

function deliveryOf(
  { body, attributes }: SQSRecord,
  { deadline, budgetMs }: Batch,
  isLater: boolean,
): Delivery {
  const firstReceivedAt = Number(attributes?.ApproximateFirstReceiveTimestamp)
  const delivery = { body, deadline, budgetMs, isLater }
  return Number.isFinite(firstReceivedAt) ? Object.assign(delivery, { firstReceivedAt }) : delivery
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
