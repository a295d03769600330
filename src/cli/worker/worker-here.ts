/**
 * A worker, or the dead-letter handler, that runs in this process.
 * @module
 */
import { createDeadLetterHandler } from '../../handlers/dead-letter.ts'
import { startEventSourceMapping } from '../../local-emulator/event-source-mapping.ts'
import { startProcessWorker } from '../../process-worker/process-worker.ts'
import type { App } from '../../runtime/app.ts'
import { awsBackend } from '../../runtime/aws/aws-backend.ts'
import { ENV } from '../../runtime/config/config.ts'
import { deadLettersOf } from '../../runtime/config/dead-letter-names.ts'

/** What runs. */
export interface WorkerHere {
  /** How many calls run. */
  running(): number
  /** Takes nothing new, and resolves when what runs has ended and the connections are free. */
  drain(): Promise<void>
}

/** What the process that ends dead letters is called; no worker of a config can be, as a name has no blank. */
export const DEAD_LETTERS = 'dead letters'

/**
 * Starts a worker against the AWS that the variables name.
 * @param name one of the config's, or `DEAD_LETTERS`
 * @throws InvalidOptionError, NotWiredError; what a start hook throws
 */
export async function startWorkerHere(app: App, name: string): Promise<WorkerHere> {
  return name === DEAD_LETTERS ? startDeadLetters(app) : startWorker(app, name)
}

async function startWorker(app: App, name: string): Promise<WorkerHere> {
  const backend = awsBackend(app.config)
  const worker = await startProcessWorker(app, backend, name)
  return {
    running: () => worker.load().running,
    async drain() {
      try {
        await worker.drain()
      } finally {
        await backend.close()
      }
    },
  }
}

/** The dead-letter queues are polled as Lambda polls them: the handler takes the events of a function. */
async function startDeadLetters(app: App): Promise<WorkerHere> {
  const backend = awsBackend(app.config)
  const handler = createDeadLetterHandler(app, backend)
  const urls = JSON.parse(process.env[ENV.queueUrls] ?? '{}') as Record<string, string>
  const names = [...app.config.queues.keys()].map(deadLettersOf).filter((name) => Object.hasOwn(urls, name))
  const { clock, queue } = backend
  let running = 0
  const mappings = names.map((queueName) =>
    startEventSourceMapping({
      queue,
      queueName,
      clock,
      arn: `arn:aws:sqs:${process.env.AWS_REGION}:000000000000:${urls[queueName]?.split('/').at(-1)}`,
      batchSize: 10,
      batchWindowSeconds: 0,
      maximumConcurrency: 2,
      async invoke(event) {
        running += 1
        const deadline = clock.now() + DEAD_LETTER_TIMEOUT_MS
        const payload = await handler(event, { getRemainingTimeInMillis: () => deadline - clock.now() })
        running -= 1
        return { ok: true, payload }
      },
    }),
  )
  return {
    running: () => running,
    async drain() {
      await Promise.all(mappings.map((mapping) => mapping.stop()))
      await backend.close()
    },
  }
}

const DEAD_LETTER_TIMEOUT_MS = 60_000
