/**
 * The backend of one test: a local one, on virtual time, behind a gate.
 * @module
 */
import { createDeadLetterHandler } from '../handlers/dead-letter.ts'
import { createWorkerHandler } from '../handlers/worker.ts'
import {
  type FaultPlan,
  type FaultSwitches,
  faultPlan,
  type LocalBackend,
  localBackend,
  queueGate,
  seededEntropy,
  virtualClock,
} from '../local-emulator/index.ts'
import type { App } from '../runtime/app.ts'
import type { ResolvedWorker } from '../runtime/config/config.ts'
import { deadLettersOf } from '../runtime/config/dead-letter-names.ts'
import { checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { runningCode } from './running-code.ts'
import { type SentCalls, sentCalls } from './sent-calls.ts'
import type { VirtualRun } from './virtual-run.ts'

/** How a test is set up. */
export interface TestExecutorOptions {
  /** What goes wrong by chance, from a seed. @default nothing */
  readonly faults?: FaultSwitches
  /** When virtual time begins: a `Date`, or epoch milliseconds. @default 2026-01-01T00:00:00Z */
  readonly startTime?: Date | number
  /**
   * How long, in real seconds, an attempt is waited for that waits for something real: a socket, a timer. After that
   * virtual time goes on, to its time limit at last. 0.01–600. @default 1
   */
  readonly realWaitSeconds?: number
}

/** The backend of one test, and what the test moves it by. */
export interface PrivateBackend extends VirtualRun {
  readonly app: App
  readonly backend: LocalBackend
  readonly plan: FaultPlan
  readonly sent: SentCalls
  /** Whether no message is left that somebody would take. */
  isEmpty(): Promise<boolean>
}

/**
 * Makes the backend of one test. Its workers start with the first submit, and wait at the gate.
 * @throws InvalidOptionError
 */
export function privateBackend(app: App, options: TestExecutorOptions): PrivateBackend {
  const { realWaitSeconds, startMs } = checkOptions(options)
  const plan = faultPlan(options.faults)
  const clock = virtualClock(startMs)
  const [gate, sent, running] = [queueGate(), sentCalls(app), runningCode(clock.now)]
  const backend = localBackend(app.config, {
    ...{ clock, gate },
    entropy: seededEntropy(plan.switches.seed),
    faults: plan,
    makeHandler(own, ports, name, ended) {
      const worker = app.config.workers.get(name) as ResolvedWorker
      return createWorkerHandler(running.watch(own, worker, ended), sent.through(ports), name)
    },
    makeDeadLetterHandler: (own, ports) => createDeadLetterHandler(own, sent.through(ports)),
    onTaken: sent.remember,
  })
  const queues = [...app.config.queues.keys()].flatMap((name) => [name, deadLettersOf(name)])
  return {
    ...{ app, plan, clock, gate, sent, running, realWaitSeconds },
    isClosed: false,
    lastStep: Promise.resolve(),
    backend: sent.through(backend),
    nextMessageAt() {
      const hidden = queues.flatMap(backend.inspect).filter(({ state }) => state !== 'visible')
      const scheduledAt = backend.waitingInSchedules.nextAt()
      const times = [
        ...hidden.map(({ visibleAt }) => visibleAt),
        ...(scheduledAt === undefined ? [] : [scheduledAt]),
      ]
      return times.length === 0 ? undefined : Math.min(...times)
    },
    async isEmpty() {
      if (backend.waitingInSchedules.nextAt() !== undefined) return false
      for (const name of queues) {
        const { visible, inFlight, delayed } = await backend.queue.counts(name)
        if (visible + inFlight + delayed > 0) return false
      }
      return true
    },
  }
}

/** The last moment that a `Date` can hold, less a few years to go on to. */
const LAST_START_MS = 8e15

function checkOptions(options: TestExecutorOptions): {
  readonly startMs: number | undefined
  readonly realWaitSeconds: number
} {
  checkKeys('the options of testExecutor', options, ['faults', 'startTime', 'realWaitSeconds'])
  const { startTime } = options
  const start = startTime instanceof Date ? startTime.getTime() : startTime
  const time = { min: 0, max: LAST_START_MS, whole: true, why: 'a Date, or epoch milliseconds' }
  const wait = { min: 0.01, max: 600, why: 'real seconds' }
  return {
    startMs: checkNumber('`startTime`', start, time, undefined),
    realWaitSeconds: checkNumber('`realWaitSeconds`', options.realWaitSeconds, wait, 1),
  }
}
