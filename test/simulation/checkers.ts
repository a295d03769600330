/**
 * The contract as code: each checker reads the history of a run, and says what in it breaks its rule.
 * @module
 */
import {
  argumentsAreRight,
  cancelIsKept,
  errorIsOwn,
  everythingRests,
  followUpsAreExact,
  futuresSettle,
  keyIsOneCall,
  nothingIsLost,
  nothingIsUnhandled,
  viewsAreInOrder,
} from './caller-checkers.ts'
import { groupsRunInOrder } from './group-checkers.ts'
import type { RunResult } from './history.ts'
import {
  acknowledgedOnlyWhenOver,
  attemptsEndWell,
  backOffIsKept,
  batchIsAnswered,
  endIsAcknowledged,
  receivesAreBounded,
} from './message-checkers.ts'
import type { Mode } from './modes.ts'
import {
  attemptBeginsInTime,
  attemptsAreCounted,
  dueTimeIsKept,
  executionsAreBounded,
  fenceHolds,
  finalIsFinal,
  forgottenStaysForgotten,
  leaseIsExclusive,
  leaseIsHeeded,
  leaseIsKept,
  lossIsReal,
  markIsHeeded,
  ownersOnlyAdvance,
  pathIsLegal,
  progressIsOwn,
} from './record-checkers.ts'
import { type RunView, type Violation, viewOf } from './run-view.ts'
import {
  dueTimeOfMessagesIsKept,
  expiredNeverBegins,
  longWaitsEndInTime,
  onlyUnbegunExpires,
  overlapIsRespected,
  scheduledRunsAreOfDueTimes,
} from './time-checkers.ts'

export type { Violation } from './run-view.ts'

type Checker = (view: RunView) => Iterable<[what: string, at: number]>

/** All checkers, in the order in which they are asked: what says most of a bug comes first. */
export const checkers: readonly Checker[] = [
  finalIsFinal,
  fenceHolds,
  leaseIsExclusive,
  leaseIsHeeded,
  leaseIsKept,
  markIsHeeded,
  dueTimeIsKept,
  dueTimeOfMessagesIsKept,
  expiredNeverBegins,
  onlyUnbegunExpires,
  overlapIsRespected,
  scheduledRunsAreOfDueTimes,
  attemptBeginsInTime,
  attemptsAreCounted,
  executionsAreBounded,
  forgottenStaysForgotten,
  pathIsLegal,
  progressIsOwn,
  ownersOnlyAdvance,
  lossIsReal,
  cancelIsKept,
  keyIsOneCall,
  argumentsAreRight,
  errorIsOwn,
  groupsRunInOrder,
  acknowledgedOnlyWhenOver,
  batchIsAnswered,
  nothingIsUnhandled,
  nothingIsLost,
  followUpsAreExact,
  futuresSettle,
  viewsAreInOrder,
  endIsAcknowledged,
  attemptsEndWell,
  backOffIsKept,
  receivesAreBounded,
  longWaitsEndInTime,
  everythingRests,
]

/** What a run breaks. */
export function check(result: RunResult, mode: Mode): Violation[] {
  const view = viewOf(result, mode)
  const violations: Violation[] = []
  for (const checker of checkers) {
    if (mode.without.includes(checker.name)) continue
    for (const [what, at] of checker(view)) violations.push({ checker: checker.name, what, at })
  }
  return violations
}
