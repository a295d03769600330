/**
 * Calls through a worker that is a process: errand's beside sqs-consumer, whose handler makes the same writes by hand. They
 * make as many requests, which `test/unit/process-worker-requests.test.ts` counts.
 * @module
 */
import { Consumer } from 'sqs-consumer'
// All of it from the sources: what starts a worker beside others in one process is no export of the package.
import { createExecutor, defineConfig } from '../src/index.ts'
import { startProcessWorker } from '../src/process-worker/process-worker.ts'
import { awsBackend } from '../src/runtime/aws/aws-backend.ts'
import { delay, systemClock } from '../src/runtime/clock.ts'
import { internalsOf } from '../src/runtime/executor.ts'
import { resultsByHand, runByHand, sendByHand } from './hand-written-calls.ts'
import { type Case, expectSum, type Measures } from './rounds.ts'
import type { Row } from './table.ts'
import { awsOptions, countDone, type Done, madeByHand } from './wire-connections.ts'
import type { Wire } from './wire-servers.ts'

const CALLS = 250
/** How many calls each side runs at once. */
const CONCURRENCY = 10
/**
 * How long both poll. A poll that is ended by its client goes on in the server, and would take the next round's messages
 * with it: nobody fills the queue before it is over.
 */
const POLL_SECONDS = 1
const OVER_MS = POLL_SECONDS * 1000 + 100

/** The queues of the two sides: neither finds the other's messages in its own. */
export const workerQueues = { errand: 'by-errand', other: 'by-sqs-consumer' } as const

const lists = Array.from({ length: CALLS }, (_, index): [number, number] => [index, 1])

type Task = (a: number, b: number) => number | Promise<number>

/** What the calls do: nothing, or some work elsewhere that takes one call longer than another. */
const tasks = {
  'no-op': (a, b) => a + b,
  '5–55 ms': async (a, b) => {
    await delay(systemClock, 5 + ((a * 37) % 51))
    return a + b
  },
} as const satisfies Record<string, Task>
type Kind = keyof typeof tasks

const nameOf = (who: string, kind: Kind) => `${who}, ${kind}`

/** One side: its calls are in the queue before its worker starts. */
interface Side {
  readonly name: string
  readonly done: Done
  /** Fills the queue; the results are read when all has been timed. */
  send(): Promise<() => Promise<readonly number[]>>
  /** Starts the worker; the returned function stops it. */
  work(): Promise<() => Promise<void>>
  close(): Promise<void>
}

async function measure({ done, send, work }: Side): Promise<Measures> {
  const results = await send()
  const ended = done.count(CALLS)
  const cpu = process.cpuUsage()
  const began = performance.now()
  const stop = await work()
  await ended
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await stop()
  await delay(systemClock, OVER_MS)
  const sums = await results()
  for (const [index, [a, b]] of lists.entries()) expectSum(sums[index] ?? Number.NaN, a, b)
  return { 'calls/s': CALLS / seconds, CPU: (user + system) / CALLS }
}

function errandSide(wire: Wire, kind: Kind): Side {
  const add: Task = tasks[kind]
  const workers = { main: { concurrency: CONCURRENCY, logLevel: 'error' as const } }
  const config = defineConfig({ name: 'bench-worker', queues: [workerQueues.errand], workers })
  const aws = awsOptions(wire)
  const executor = createExecutor(config, { backend: 'aws', aws, tasks: { add } })
  const backend = awsBackend(executor.config, aws)
  const done = countDone()
  const counting: typeof backend.queue = {
    ...backend.queue,
    async delete(queue, receipts) {
      await backend.queue.delete(queue, receipts)
      done.add(receipts.length)
    },
  }
  return {
    name: nameOf('errand as a process', kind),
    done,
    async send() {
      const group = await executor.map(add, lists)
      return () => group.results()
    },
    async work() {
      const worker = await startProcessWorker(
        internalsOf(executor).app,
        { ...backend, queue: counting },
        'main',
        { pollSeconds: POLL_SECONDS },
      )
      return worker.drain
    },
    async close() {
      await Promise.all([executor.close(), backend.close()])
    },
  }
}

function otherSide(wire: Wire, kind: Kind): Side {
  const made = madeByHand(wire, workerQueues.other)
  const done = countDone()
  return {
    name: nameOf('sqs-consumer', kind),
    done,
    async send() {
      const ids = await sendByHand(made, lists)
      return () => resultsByHand(made, ids)
    },
    async work() {
      const consumer = Consumer.create({
        queueUrl: made.queueUrl,
        sqs: made.sqs,
        batchSize: CONCURRENCY,
        waitTimeSeconds: POLL_SECONDS,
        visibilityTimeout: 60,
        async handleMessageBatch(messages) {
          await Promise.all(messages.map((message) => runByHand(made, message, tasks[kind])))
          return messages
        },
      })
      consumer.on('message_processed', () => done.add(1))
      consumer.on('error', (error) => console.error(error))
      consumer.start()
      return async () => {
        consumer.stop({ abort: true })
      }
    },
    async close() {
      made.sqs.destroy()
      made.dynamodb.destroy()
    },
  }
}

/** The cases of the workers; nothing runs between them. */
export function startWorkerCases(wire: Wire): { readonly cases: Case[]; close(): Promise<void> } {
  const kinds = Object.keys(tasks) as Kind[]
  const sides = kinds.flatMap((kind) => [errandSide(wire, kind), otherSide(wire, kind)])
  return {
    cases: sides.map((side) => ({ name: side.name, run: () => measure(side) })),
    async close() {
      await Promise.all(sides.map((side) => side.close()))
    },
  }
}

/** What is shown of them. */
export const workerRows: readonly Row[] = (Object.keys(tasks) as Kind[]).flatMap((kind) => {
  const [own, other] = [nameOf('errand as a process', kind), nameOf('sqs-consumer', kind)]
  const calls = `${CALLS} calls, ${kind}`
  return [
    { label: `sqs-consumer, ${calls}`, of: other, metric: 'calls/s' },
    { label: `process worker, ${calls}`, of: own, metric: 'calls/s', floor: other, target: { atLeast: 1 } },
    { label: 'sqs-consumer, CPU a call', of: other, metric: 'CPU' },
    { label: 'process worker, CPU a call', of: own, metric: 'CPU', floor: other },
  ]
})
