/**
 * A run's history, put in order for checkers: by kind, by call, by invocation.
 * @module
 */
import { type CallRecord, isFinal } from '../../src/runtime/call/record.ts'
import type { FaultKind } from './faults.ts'
import type { Happening, RunResult } from './history.ts'
import type { Mode } from './modes.ts'

/** The happenings of one kind. */
export type Of<Kind extends Happening['kind']> = Extract<Happening, { readonly kind: Kind }>

/** A rule of the contract that was broken. */
export interface Violation {
  /** The checker's name. */
  readonly checker: string
  readonly what: string
  readonly at: number
}

/** What checkers look at. */
export interface RunView {
  readonly result: RunResult
  readonly mode: Mode
  of<Kind extends Happening['kind']>(kind: Kind): readonly Of<Kind>[]
  /** The writes of a call, in order. */
  writesOf(id: string): readonly Of<'write'>[]
  /** The claim by which this owner took this call. */
  claimOf(id: string, owner: string | undefined): Of<'write'> | undefined
  /** The claim that an execution runs under. */
  claimOfExecution(execution: number): Of<'write'> | undefined
  invocation(number: number | undefined): Of<'invoked'> | undefined
  /** From when on no fault happens. */
  readonly calmFrom: number
  /** As `calmFrom`, and SQS does nothing odd either. */
  readonly quietFrom: number
  /** Whether no fault of this run can take an attempt from its environment. */
  readonly isGentle: boolean
}

/** Whether a write is a claim: it makes a new attempt, or a new owner. */
export function isClaim({ before, after }: Of<'write'>): boolean {
  if (after.state !== 'running') return false
  return before?.state !== 'running' || before.owner !== after.owner || before.attempts !== after.attempts
}

/** Whether a record was final, and not yet forgotten. */
export function wasFinal(record: CallRecord | undefined, at: number): record is CallRecord {
  return record !== undefined && isFinal(record.state) && record.expiresAtSeconds * 1000 > at
}

function groupByKind(history: readonly Happening[]): Map<string, Happening[]> {
  const kinds = new Map<string, Happening[]>()
  for (const happening of history) {
    const list = kinds.get(happening.kind)
    if (list === undefined) kinds.set(happening.kind, [happening])
    else list.push(happening)
  }
  return kinds
}

const gentleKinds: readonly string[] = [
  'duplicate',
  'twin',
  'reorder',
  'late',
  'early-redelivery',
  'abandoned',
  'stale-read',
  'client-crash',
  'lost-response',
] satisfies FaultKind[]

/** A request is sent three times: what is lost less often costs nobody anything. */
function isGentle({ faults }: RunResult): boolean {
  const kinds = faults.map((fault) => fault.slice(0, fault.indexOf('#')))
  return (
    kinds.every((kind) => gentleKinds.includes(kind)) &&
    kinds.filter((kind) => kind === 'lost-response').length < 3
  )
}

/** Puts a run in order. */
export function viewOf(result: RunResult, mode: Mode): RunView {
  const { history } = result
  const kinds = groupByKind(history)
  const of = <Kind extends Happening['kind']>(kind: Kind) =>
    (kinds.get(kind) ?? []) as unknown as readonly Of<Kind>[]
  const writes = new Map<string, Of<'write'>[]>()
  const claims = new Map<string, Of<'write'>>()
  const claimsOfExecutions = new Map<number, Of<'write'>>()
  for (const happening of history) {
    if (happening.kind === 'write') {
      const list = writes.get(happening.id)
      if (list === undefined) writes.set(happening.id, [happening])
      else list.push(happening)
      if (isClaim(happening)) claims.set(`${happening.id} ${happening.after.owner}`, happening)
    } else if (happening.kind === 'run') {
      const claim = claims.get(`${happening.id} ${happening.owner}`)
      if (claim !== undefined) claimsOfExecutions.set(happening.execution, claim)
    }
  }
  const invocations = new Map(of('invoked').map((invoked) => [invoked.invocation, invoked]))
  const quiet = of('quiet')[0]?.at ?? Number.POSITIVE_INFINITY
  const gentle = isGentle(result)
  return {
    result,
    mode,
    of,
    writesOf: (id) => writes.get(id) ?? [],
    claimOf: (id, owner) => claims.get(`${id} ${owner}`),
    claimOfExecution: (execution) => claimsOfExecutions.get(execution),
    invocation: (number) => (number === undefined ? undefined : invocations.get(number)),
    calmFrom: gentle ? 0 : quiet,
    quietFrom: result.faults.length === 0 ? 0 : quiet,
    isGentle: gentle,
  }
}
