/**
 * Calls through SQS and DynamoDB on the wire: errand's AWS backend beside the same requests written by hand.
 * @module
 */
import { createExecutor, defineConfig } from 'errand'
import { workerHandler } from 'errand/lambda'
import { startEventSourceMapping } from 'errand/local-emulator'
import { awsBackend } from '../src/runtime/aws/aws-backend.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { loopbackRegion } from '../test/support/loopback-connection.ts'
import { resultsByHand, sendByHand, workByHand } from './hand-written-calls.ts'
import { type Case, expectSum, type Measures } from './rounds.ts'
import type { Row } from './table.ts'
import { awsOptions, countDone, type Done, madeByHand } from './wire-connections.ts'
import type { Wire } from './wire-servers.ts'

const CALLS = 250
/** Batches of ten that the workers run at once. */
const INVOCATIONS = 2

/** The queues of the two sides: neither finds the other's messages in its own. */
export const wireQueues = { errand: 'by-errand', hand: 'by-hand' } as const

const lists = Array.from({ length: CALLS }, (_, index): [number, number] => [index, 1])

function add(a: number, b: number): number {
  return a + b
}

/**
 * The rate is that of calls which ended: the last message deleted, while the results are polled for. Both sides
 * learn of the last result up to a third later, by the schedule of the polling, which would hide the rest. The
 * CPU time is this process's, until every result is known.
 */
async function measure(done: Done, callAll: () => Promise<readonly number[]>): Promise<Measures> {
  const cpu = process.cpuUsage()
  const began = performance.now()
  const ended = done.count(CALLS)
  const results = callAll()
  // Awaited below; a case that fails before must not end the process first.
  results.catch(() => {})
  await Promise.race([ended, results])
  await ended
  const seconds = (performance.now() - began) / 1000
  const sums = await results
  const { user, system } = process.cpuUsage(cpu)
  for (const [index, [a, b]] of lists.entries()) expectSum(sums[index] ?? Number.NaN, a, b)
  return { 'calls/s': CALLS / seconds, CPU: (user + system) / CALLS }
}

/** One side, its worker running. */
interface Side {
  readonly measured: Case
  close(): Promise<void>
}

function errandSide(wire: Wire): Side {
  const config = defineConfig({ name: 'bench-wire', queues: [wireQueues.errand] })
  const aws = awsOptions(wire)
  const executor = createExecutor(config, { backend: 'aws', aws, tasks: { add } })
  const handler = workerHandler(executor)
  const polling = awsBackend(executor.config, aws)
  const done = countDone()
  const mapping = startEventSourceMapping({
    queue: {
      receive: polling.queue.receive,
      async delete(queue, receipts) {
        await polling.queue.delete(queue, receipts)
        done.add(receipts.length)
      },
    },
    queueName: wireQueues.errand,
    arn: `arn:aws:sqs:${loopbackRegion}:000000000000:${wireQueues.errand}`,
    batchSize: 10,
    batchWindowSeconds: 0,
    maximumConcurrency: INVOCATIONS,
    invoke: async (event) => ({ ok: true, payload: await handler(event) }),
    clock: systemClock,
    onError: (error) => console.error(error),
  })
  const callAll = async () => (await executor.map(add, lists)).results()
  return {
    measured: { name: 'errand on the wire', run: () => measure(done, callAll) },
    async close() {
      await mapping.stop()
      await Promise.all([executor.close(), polling.close()])
    },
  }
}

function handSide(wire: Wire): Side {
  const made = madeByHand(wire, wireQueues.hand)
  const done = countDone()
  const stopping = new AbortController()
  const working = workByHand(made, INVOCATIONS, stopping.signal, done.add)
  const callAll = async () => resultsByHand(made, await sendByHand(made, lists))
  return {
    measured: { name: 'by hand on the wire', run: () => measure(done, callAll) },
    async close() {
      stopping.abort()
      await working
      made.sqs.destroy()
      made.dynamodb.destroy()
    },
  }
}

/** The cases of the wire. The workers of both sides run, idle between the cases, until `close`. */
export function startWireCases(wire: Wire): { readonly cases: Case[]; close(): Promise<void> } {
  const sides = [errandSide(wire), handSide(wire)]
  return {
    cases: sides.map(({ measured }) => measured),
    async close() {
      await Promise.all(sides.map((side) => side.close()))
    },
  }
}

/** What is shown of them. */
export const wireRows: readonly Row[] = [
  { label: `AWS by hand, ${CALLS} calls`, of: 'by hand on the wire', metric: 'calls/s' },
  {
    label: `AWS backend, map of ${CALLS} calls`,
    of: 'errand on the wire',
    metric: 'calls/s',
    floor: 'by hand on the wire',
    target: { atLeast: 1 },
  },
  { label: 'AWS by hand, CPU a call', of: 'by hand on the wire', metric: 'CPU' },
  {
    label: 'AWS backend, CPU a call',
    of: 'errand on the wire',
    metric: 'CPU',
    floor: 'by hand on the wire',
  },
]
