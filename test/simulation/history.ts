/**
 * The history of a run: everything that happened, in order, with its true time. Checkers read nothing else, so that a
 * doctored history can test them.
 * @module
 */
import type { CallRecord, CallState } from '../../src/runtime/call/record.ts'
import type { FaultKind } from './faults.ts'
import type { Plan } from './plan.ts'

/** One thing that happened. `call` is the number of a planned call, `id` the id of a call. */
export type Happening = { readonly at: number } & (
  | { readonly kind: 'submit'; readonly call: number; readonly process: string; readonly again: boolean }
  | { readonly kind: 'submitted'; readonly call: number; readonly process: string; readonly id: string }
  | {
      readonly kind: 'not-submitted'
      readonly call: number
      readonly process: string
      readonly code: string
      readonly ids: readonly string[]
    }
  | {
      readonly kind: 'write'
      readonly id: string
      readonly process: string
      readonly invocation: number | undefined
      readonly before: CallRecord | undefined
      readonly after: CallRecord
    }
  | {
      readonly kind: 'run'
      /** What a follow-up was given. */
      readonly given?: unknown
      readonly id: string
      readonly call: number
      readonly variant: number
      readonly execution: number
      readonly attempt: number
      /** The owner of the claim that it runs under. */
      readonly owner: string
      readonly process: string
      readonly invocation: number | undefined
    }
  | {
      readonly kind: 'ran'
      readonly id: string
      readonly execution: number
      readonly how: 'returned' | 'threw'
      /** It stopped since it was told that it had lost its lease. */
      readonly lost?: true
    }
  | { readonly kind: 'sent'; readonly queue: string; readonly messageId: string; readonly body: string }
  | {
      readonly kind: 'scheduled'
      /** The schedule's. */
      readonly name: string
      readonly queue: string
      readonly dueAt: number
      readonly body: string
    }
  | {
      readonly kind: 'received'
      readonly queue: string
      readonly messageId: string
      readonly receiveCount: number
      readonly id: string | undefined
      readonly invocation: number
    }
  | {
      readonly kind: 'deleted'
      readonly invocation: number
      readonly queue: string
      readonly messageId: string
      readonly id: string | undefined
      readonly payloadHash: string | undefined
      /** Which sending of the call's message it is, from 1. */
      readonly sends: number
      readonly receivedAt: number
      /** The call's record at this moment. */
      readonly record: CallRecord | undefined
    }
  | {
      readonly kind: 'invoked'
      readonly invocation: number
      readonly process: string
      /** When Lambda ends it, in true time. */
      readonly deadline: number
      readonly messages: number
    }
  | {
      readonly kind: 'answered'
      readonly invocation: number
      /** How many messages went back; `undefined` where the answer made Lambda fail the whole batch. */
      readonly failures: number | undefined
      readonly error?: string
    }
  | { readonly kind: 'killed'; readonly process: string; readonly why: string }
  | { readonly kind: 'frozen'; readonly process: string; readonly why: string }
  | { readonly kind: 'thawed'; readonly process: string; readonly why: string }
  | { readonly kind: 'fault'; readonly fault: FaultKind; readonly what: string }
  | {
      readonly kind: 'asked'
      readonly what: 'cancel' | 'abort' | 'retry'
      readonly id: string
      readonly process: string
    }
  | {
      readonly kind: 'told'
      readonly what: 'cancel' | 'abort' | 'retry'
      readonly id: string
      readonly process: string
      readonly answer: boolean | string
    }
  | { readonly kind: 'waits'; readonly id: string; readonly future: number; readonly process: string }
  | {
      readonly kind: 'seen'
      readonly id: string
      readonly future: number
      readonly state: CallState
      readonly attempts: number
      readonly progress: unknown
    }
  | {
      readonly kind: 'settled'
      readonly id: string
      readonly future: number
      readonly state: 'succeeded' | 'failed' | 'cancelled' | 'error'
      /** The value, or the error's code or message. */
      readonly detail: unknown
    }
  | {
      readonly kind: 'hidden'
      readonly process: string
      readonly invocation: number | undefined
      readonly messages: number
    }
  | { readonly kind: 'quiet' }
  | { readonly kind: 'unhandled'; readonly error: string }
)

type Of<Kind extends Happening['kind']> = Extract<Happening, { readonly kind: Kind }>
type WithoutTime<H> = H extends unknown ? Omit<H, 'at'> : never

/** The history while it is written. */
export interface History {
  readonly all: readonly Happening[]
  add(happening: WithoutTime<Happening>): void
}

/** An empty history. */
export function historyOf(now: () => number): History {
  const all: Happening[] = []
  return {
    all,
    add(happening) {
      all.push({ at: now(), ...happening } as Happening)
    },
  }
}

/** What is left when a run is over. */
export interface RunResult {
  readonly plan: Plan
  readonly history: readonly Happening[]
  /** The records by id, expired ones too. */
  readonly records: ReadonlyMap<string, CallRecord>
  /** Message bodies that are still in a queue, by the queue's name. */
  readonly left: ReadonlyMap<string, readonly string[]>
  readonly faults: readonly string[]
  /** Whether all came to rest before the quiet phase's bound. */
  readonly settled: boolean
  readonly events: number
}

/** The happenings of one kind. */
export function allOf<Kind extends Happening['kind']>(
  history: readonly Happening[],
  kind: Kind,
): readonly Of<Kind>[] {
  return history.filter((happening): happening is Of<Kind> => happening.kind === kind)
}

/** One line for people, and for the hash that tells whether two runs were the same. */
export function lineOf(happening: Happening, start: number): string {
  const { at, kind, ...fields } = happening
  const seconds = ((at - start) / 1000).toFixed(3).padStart(11)
  if (happening.kind === 'write') return `${seconds} write ${describeWrite(happening)}`
  return `${seconds} ${kind} ${Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${showField(value)}`)
    .join(' ')}`
}

function showField(value: unknown): string {
  if (typeof value === 'string') return value.length > 300 ? `${value.slice(0, 300)}…` : value
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

function describeWrite({ id, process, before, after }: Of<'write'>): string {
  const changes = Object.keys(after)
    .filter((name) => name !== 'id' && after[name as keyof CallRecord] !== before?.[name as keyof CallRecord])
    .map((name) => `${name}=${showField(after[name as keyof CallRecord] ?? null)}`)
  return `${id} by=${process} ${before?.state ?? 'none'}→${after.state} ${changes.join(' ')}`
}
