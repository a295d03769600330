/**
 * Breaks of the fence and of the claim.
 * @module
 */
import { edit, type Mutant } from './mutant.ts'

const attempt = 'src/runtime/attempt/attempt.ts'
const record = 'src/runtime/call/record.ts'
const renewal = 'src/runtime/operations/renewal.ts'

/** Breaks of the fence. */
export const fenceMutants: readonly Mutant[] = [
  {
    name: 'no fence: progress, finish and retry hold for any owner',
    edits: [edit(record, "all: [running, ['owner', '=', owner]],", 'all: [running],')],
  },
  {
    name: 'the fence is the attempt number, and a retry by hand resets it',
    edits: [
      edit(attempt, 'owner: ports.entropy.owner(),', "owner: '1',"),
      edit(renewal, 'forgiven: failed.attempts,', 'forgiven: 0, attempts: 0,'),
    ],
  },
  {
    name: 'an owner is made once an environment, not once a claim',
    edits: [
      edit(
        attempt,
        'owner: ports.entropy.owner(),',
        'owner: ((ports as { owner?: string }).owner ??= ports.entropy.owner()),',
      ),
    ],
  },
  {
    name: 'finish does not ask whether the call runs',
    edits: [
      edit(
        record,
        '  const when = owned(owner)\n  return finish.failure',
        "  const when: Condition = ['owner', '=', owner]\n  return finish.failure",
      ),
    ],
  },
  {
    name: 'progress does not ask for the owner',
    edits: [
      edit(
        record,
        'return { when: { all: [owned(owner), inOrder] }, set: { progress, progressNumber: number } }',
        "return { when: { all: [['id', 'present'], inOrder] }, set: { progress, progressNumber: number } }",
      ),
    ],
  },
  {
    name: 'progress that comes late goes over a later one',
    edits: [
      edit(
        record,
        'return { when: { all: [owned(owner), inOrder] }, set: { progress, progressNumber: number } }',
        'if (inOrder === undefined) throw new Error()\n  return { when: owned(owner), set: { progress, progressNumber: number } }',
      ),
    ],
  },
]

/** Breaks of the claim. */
export const claimMutants: readonly Mutant[] = [
  {
    name: 'a claim ignores the lease',
    edits: [edit(record, "all: [running, ['leaseUntil', '<', nowMs]],", 'all: [running],')],
  },
  {
    name: 'no margin for clock skew',
    edits: [edit('src/runtime/config/config.ts', 'leaseMarginSeconds: 3,', 'leaseMarginSeconds: 0,')],
    mode: 'no-visibility',
  },
  {
    name: 'a lease of one second',
    edits: [
      edit(
        attempt,
        'leaseUntil: leaseEndOf(environment, delivery, now) + PROTOCOL.leaseMarginSeconds * 1000,',
        'leaseUntil: now + 1000,',
      ),
    ],
  },
  {
    name: 'a renewed lease is not renewed',
    edits: [
      edit(
        'src/runtime/attempt/leases.ts',
        'ports.store.update(attempt.id, extendLeaseChange(attempt.owner, leaseUntil))',
        '({ written: true })',
      ),
    ],
    mode: 'renewed-leases',
  },
  {
    name: 'a lease is renewed whoever owns the call',
    edits: [
      edit(
        record,
        "return { when: { all: [owned(owner), ['leaseUntil', '<=', leaseUntil]] }, set: { leaseUntil } }",
        "return { when: { all: [running, ['leaseUntil', '<=', leaseUntil]] }, set: { leaseUntil } }",
      ),
    ],
    mode: 'renewed-leases',
  },
  {
    name: 'a renewal that comes late shortens the lease',
    edits: [
      edit(
        record,
        "return { when: { all: [owned(owner), ['leaseUntil', '<=', leaseUntil]] }, set: { leaseUntil } }",
        'return { when: owned(owner), set: { leaseUntil } }',
      ),
    ],
    mode: 'renewed-leases',
  },
  {
    name: 'an attempt heeds a record that is older than its claim',
    foundAtSeed: 1396,
    edits: [edit('src/runtime/attempt/marks.ts', 'if (record.attempts < attempt.attempt) return\n', '\n')],
  },
  {
    name: 'an attempt begins after its renewed lease is over',
    foundAtSeed: 1759,
    edits: [
      edit(
        attempt,
        'if (leftMs <= 0 || begunAt >= leaseEndOf(environment, delivery, now)) return hide(undefined)',
        'if (leftMs <= 0) return hide(undefined)',
      ),
    ],
    mode: 'renewed-leases',
  },
  {
    name: 'a marked call is claimed',
    edits: [edit(record, '      unmarked,\n      notExpired(now),', '      notExpired(now),')],
    mode: 'no-marks',
  },
  {
    name: 'a marked call is retried',
    foundAtSeed: 413,
    edits: [edit(record, 'when: { all: [owned(owner), unmarked] },', 'when: owned(owner),')],
  },
  {
    name: 'the due time is ignored at the claim',
    edits: [
      edit(
        record,
        "all: [postponed, ['dueAt', '<=', now + PROTOCOL.dueToleranceSeconds * 1000]],",
        'all: [postponed],',
      ),
    ],
  },
  {
    name: 'a call without a record is always new',
    edits: [edit(record, 'return claim.now < claim.call.dueAt + lifeSeconds * 1000', 'return true')],
  },
  {
    name: 'a claim ignores the payload',
    edits: [edit(record, "      ['payloadHash', '=', call.payloadHash],\n", '')],
  },
  {
    name: 'an echo of the claim is taken for another attempt',
    edits: [
      edit(
        record,
        "  if (existing.owner === claim.owner && existing.state === 'running')\n    return { kind: 'echo', record: existing }\n",
        '',
      ),
    ],
  },
  {
    name: 'a claim does not count',
    edits: [
      edit(
        record,
        'set: { ...set, startedAt: now }, initial: call, increment: attempted, remove: leftBehind }',
        'set: { ...set, startedAt: now }, initial: { ...call, attempts: 1 }, remove: leftBehind }',
      ),
    ],
  },
]
