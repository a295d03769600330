/**
 * Modes: the same simulation with one safety layer off, because layers hide each other's bugs. What the checkers ask
 * still holds.
 * @module
 */
import type { Plan } from './plan.ts'
import type { SourceEdit } from './source-edits.ts'

/** What a mode changes. */
export interface Mode {
  readonly name: string
  readonly what: string
  adjust(plan: Plan): Plan
  /** How often a process sends a request before it reports an error. @default 3 */
  readonly tries: number
  /** Whether a received message is hidden from others. */
  readonly hides: boolean
  /** Whether eventually consistent reads of workers, by which they learn of marks, are answered. */
  readonly readsMarks: boolean
  /** Whether workers renew their leases, as processes of their own do, instead of holding them to the time-out. */
  readonly renewsLeases: boolean
  /** Whether workers can change the visibility of a message. */
  readonly changesVisibility: boolean
  /** Whether anybody handles dead letters. */
  readonly handlesDeadLetters: boolean
  /** What is different in the sources. */
  readonly edits: readonly SourceEdit[]
  /** The checkers of what the layer alone is for. */
  readonly without: readonly string[]
}

const full: Mode = {
  name: 'full',
  what: 'every layer on',
  adjust: (plan) => plan,
  tries: 3,
  hides: true,
  readsMarks: true,
  renewsLeases: false,
  changesVisibility: true,
  handlesDeadLetters: true,
  edits: [],
  without: [],
}

const lowReceiveCount = (plan: Plan): Plan => ({
  ...plan,
  maxReceiveCount: Math.min(plan.maxReceiveCount, 3 + (plan.seed % 6)),
})

/** Attempts that outlast several leases. */
const longAttempts = (plan: Plan): Plan => ({
  ...plan,
  timeoutSeconds: plan.timeoutSeconds * 10,
  visibilitySeconds: 60 + (plan.seed % 30),
  quietAtMs: plan.quietAtMs * 4,
  calls: plan.calls.map((call) => {
    const { durationMs } = call.program
    return { ...call, program: { ...call.program, durationMs: durationMs * (durationMs < 1000 ? 1 : 10) } }
  }),
})

/** The modes by name. */
export const modes: ReadonlyMap<string, Mode> = new Map(
  [
    full,
    { ...full, name: 'no-client-retries', what: 'the SDK sends nothing twice', tries: 1 },
    { ...full, name: 'no-visibility', what: 'received messages are visible again at once', hides: false },
    {
      ...full,
      name: 'renewed-leases',
      what: 'workers are processes of their own, with short leases that they renew',
      renewsLeases: true,
      adjust: longAttempts,
      // A lease ends long before the time-out there, leaseIsKept says what holds instead; and nobody here keeps messages
      // hidden, as the process does, so that one comes back while its call waits.
      without: ['leaseIsExclusive', 'backOffIsKept'],
    },
    { ...full, name: 'no-marks', what: 'workers cannot read marks', readsMarks: false },
    { ...full, name: 'no-hiding', what: 'workers cannot change visibility', changesVisibility: false },
    {
      ...full,
      name: 'no-dead-letter-handler',
      what: 'nobody handles dead letters',
      adjust: (plan: Plan) => ({ ...plan, maxReceiveCount: 100, poison: [] }),
      handlesDeadLetters: false,
    },
    { ...full, name: 'low-receive-count', what: 'SQS gives up early', adjust: lowReceiveCount },
    {
      ...full,
      name: 'no-lease',
      what: 'a lease is over as soon as it begins, the fence holds alone',
      edits: [
        {
          file: 'src/runtime/attempt/attempt.ts',
          find: 'leaseUntil: leaseEndOf(environment, delivery, now) + PROTOCOL.leaseMarginSeconds * 1000,',
          replace: 'leaseUntil: now,',
        },
      ],
      without: [
        'leaseIsExclusive',
        'leaseIsKept',
        'attemptBeginsInTime',
        'executionsAreBounded',
        'attemptsEndWell',
        'backOffIsKept',
        'receivesAreBounded',
      ],
    },
    {
      ...full,
      name: 'no-skew',
      what: 'all clocks agree',
      adjust: (plan: Plan) => ({ ...plan, skewMs: 0 }),
    },
  ].map((mode) => [mode.name, mode]),
)
