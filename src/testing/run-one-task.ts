/**
 * Runs one task's function once, as a worker would, without a queue.
 * @module
 */
import type { OpenEnvironment } from '../handlers/worker-environment.ts'
import { inProcessStore } from '../local-emulator/index.ts'
import type { Marks } from '../runtime/attempt/marks.ts'
import { runTask } from '../runtime/attempt/run-task.ts'
import type { ReceivedEnvelope } from '../runtime/call/envelope.ts'
import type { CallRecord } from '../runtime/call/record.ts'
import { PROTOCOL } from '../runtime/config/config.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { AbortedError, InvalidOptionError } from '../runtime/errors.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { Store } from '../runtime/ports/store.ts'
import type { RegisteredTask } from '../runtime/registry.ts'

/** How to run one task. */
export interface RunTaskOptions {
  /** What `currentTask.attempt` says, 1–1,000,000. @default 1 */
  readonly attempt?: number
  /** Aborts `currentTask.signal`, as `future.abort()` does. */
  readonly signal?: AbortSignal
}

/**
 * Runs the function: arguments and result through the codec, schema, middleware, `currentTask`, time limit. What it
 * throws is thrown, as it is.
 * @throws InvalidOptionError, UnsupportedValueError, InvalidInputError, AbortedError, TaskTimeoutError
 */
export async function runOneTask(
  open: OpenEnvironment,
  task: RegisteredTask,
  args: unknown,
  options: RunTaskOptions,
): Promise<unknown> {
  const { attempt, signal } = checkOptions(options)
  if (!Array.isArray(args)) {
    throw new InvalidOptionError(
      `runTask was given the arguments ${showValue(args)}, expected a list of them, as in runTask(add, [1, 2])`,
    )
  }
  const { app, ports, settings } = open
  const envelope = envelopeOf(open, task, app.codec.encode(args, 'arguments'))
  const limitMs =
    (task.options.timeoutSeconds ?? settings.timeoutSeconds - PROTOCOL.attemptReserveSeconds) * 1000
  const record = runningRecord(envelope, ports, attempt, limitMs)
  const store = await storeBeside(ports, record)
  const environment = { ...(await open.get()), ports: { ...ports, store }, marks: marksOf(signal) }
  const ended = await runTask(environment, task, envelope, record, record.owner ?? '', limitMs)
  if (ended.kind === 'returned') return app.codec.decode(ended.text)
  throw ended.kind === 'threw' || ended.kind === 'timed-out' ? ended.error : abortedError(signal)
}

function checkOptions(options: RunTaskOptions): { attempt: number; signal: AbortSignal | undefined } {
  const { attempt, signal } = checkKeys('the options of runTask', options, ['attempt', 'signal'])
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidOptionError(`\`signal\` is ${showValue(signal)}, expected an AbortSignal`)
  }
  return { attempt: checkNumber('`attempt`', attempt, { min: 1, max: 1_000_000, whole: true }, 1), signal }
}

function envelopeOf({ app, ports }: OpenEnvironment, task: RegisteredTask, args: string): ReceivedEnvelope {
  const now = ports.clock.now()
  const { defaultQueue: queue } = app.config
  const times = { createdAt: now, dueAt: now }
  const id = ports.entropy.id(now)
  return { v: 1, id, task: task.name, queue, payloadHash: 'test', ...times, args: JSON.parse(args) }
}

function runningRecord(
  { id, task, queue, payloadHash, createdAt, dueAt }: ReceivedEnvelope,
  { entropy, clock }: Ports,
  attempt: number,
  limitMs: number,
): CallRecord {
  const leaseUntil = clock.now() + limitMs + PROTOCOL.leaseMarginSeconds * 1000
  const call = { id, task, queue, payloadHash, createdAt, dueAt, failures: attempt - 1, attempts: attempt }
  const times = {
    startedAt: clock.now(),
    leaseUntil,
    expiresAtSeconds: Math.ceil(leaseUntil / 1000) + 86_400,
  }
  return { ...call, ...times, state: 'running', owner: entropy.owner() }
}

/** The test's store, but for the record of this call: that is nobody else's, and leaves no trace. */
async function storeBeside({ store, clock }: Ports, record: CallRecord): Promise<Store> {
  const own = inProcessStore({ clock })
  await own.put(record, ['id', 'absent'])
  const holderOf = (id: string) => (id === record.id ? own : store)
  return {
    ...store,
    update: (id, change) => holderOf(id).update(id, change),
    read: async (ids, options) => {
      const records = await Promise.all(ids.map((id) => holderOf(id).read([id], options)))
      return records.flat()
    },
  }
}

/** Marks that come from a signal in place of the record. */
function marksOf(signal: AbortSignal | undefined): Marks {
  const stops = new Map<object, () => void>()
  return {
    watch(attempt) {
      const abort = () => attempt.abort(abortedError(signal))
      stops.set(attempt, abort)
      if (signal?.aborted) abort()
      signal?.addEventListener('abort', abort, { once: true })
    },
    unwatch(attempt) {
      const abort = stops.get(attempt)
      if (abort !== undefined) signal?.removeEventListener('abort', abort)
    },
  }
}

function abortedError(signal: AbortSignal | undefined): AbortedError {
  const reason: unknown = signal?.reason
  return new AbortedError(reason instanceof Error ? reason.message : String(reason))
}
