/**
 * Mutants: breaks of the protocol, each a small edit of the sources that the simulation has to find.
 * @module
 */
import type { SourceEdit } from './source-edits.ts'

/** One break. */
export interface Mutant {
  readonly name: string
  readonly edits: readonly SourceEdit[]
  /** The mode in which other layers do not hide it. @default full */
  readonly mode?: string
}

const attempt = 'src/runtime/attempt.ts'
const finish = 'src/runtime/finish-attempt.ts'
const invocation = 'src/handlers/invocation.ts'
const record = 'src/runtime/record.ts'
const send = 'src/runtime/send.ts'

function edit(file: string, find: string, replace: string): SourceEdit {
  return { file, find, replace }
}

const fence: readonly Mutant[] = [
  {
    name: 'no fence: progress, finish and retry hold for any owner',
    edits: [edit(record, "all: [running, ['owner', '=', owner]],", 'all: [running],')],
  },
  {
    name: 'the fence is the attempt number, and a retry by hand resets it',
    edits: [
      edit(attempt, 'owner: ports.entropy.owner(),', "owner: '1',"),
      edit(record, 'forgiven: failed.attempts,', 'forgiven: 0, attempts: 0,'),
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
        'return { when: owned(owner), set: { progress } }',
        "return { when: ['id', 'present'], set: { progress } }",
      ),
    ],
  },
]

const claims: readonly Mutant[] = [
  {
    name: 'a claim ignores the lease',
    edits: [edit(record, "all: [running, ['leaseUntil', '<', nowMs]],", 'all: [running],')],
  },
  {
    name: 'no margin for clock skew',
    edits: [edit('src/runtime/config.ts', 'leaseMarginSeconds: 3,', 'leaseMarginSeconds: 0,')],
    mode: 'no-visibility',
  },
  {
    name: 'a lease of one second',
    edits: [
      edit(
        attempt,
        'leaseUntil: delivery.deadline + PROTOCOL.leaseMarginSeconds * 1000,',
        'leaseUntil: now + 1000,',
      ),
    ],
  },
  {
    name: 'a marked call is claimed',
    edits: [edit(record, '      unmarked,\n      notExpired(now),', '      notExpired(now),')],
    mode: 'no-marks',
  },
  {
    name: 'a marked call is retried',
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
        'set: { ...set, startedAt: now }, initial: call, increment: attempted, remove: progress }',
        'set: { ...set, startedAt: now }, initial: { ...call, attempts: 1 }, remove: progress }',
      ),
    ],
  },
]

const ends: readonly Mutant[] = [
  {
    name: 'acknowledges before the finish',
    edits: [
      edit(
        finish,
        '  try {\n    answer = await write()\n  } catch (error) {',
        '  if (end.failure !== undefined) {\n    void write().catch(() => {})\n    return acknowledge\n  }\n  try {\n    answer = await write()\n  } catch (error) {',
      ),
    ],
  },
  {
    name: 'an echo of the finish is taken for a lost lease',
    edits: [
      edit(
        record,
        'return existing !== undefined && existing.owner === owner && isFinal(existing.state)',
        'return existing === undefined && owner === ""',
      ),
    ],
  },
  {
    name: 'an echo of the retry is taken for a lost lease',
    edits: [
      edit(
        record,
        "return existing?.owner === owner && existing.state === 'retrying'",
        "return existing?.owner === '' && owner === ''",
      ),
    ],
  },
  {
    name: 'a finish whose response is lost acknowledges whatever stands there',
    edits: [
      edit(
        finish,
        '  if (ending === undefined) return lost(environment, envelope.id)\n',
        '  if (ending === undefined) return acknowledge\n',
      ),
    ],
    mode: 'no-lease',
  },
  {
    name: 'an attempt that lost its lease acknowledges',
    edits: [
      edit(
        finish,
        "  environment.log('warn', 'result dropped', { id, error: leaseLost(id) })\n  return hide(undefined)",
        "  environment.log('warn', 'result dropped', { id, error: leaseLost(id) })\n  return acknowledge",
      ),
    ],
    mode: 'no-lease',
  },
  {
    name: 'a failure is not counted at a retry',
    edits: [
      edit(
        record,
        "    set: { state: 'retrying', dueAt, lastError, expiresAtSeconds },\n    increment: failed,\n",
        "    set: { state: 'retrying', dueAt, lastError, expiresAtSeconds },\n",
      ),
    ],
  },
  {
    name: 'kills are not counted',
    edits: [
      edit(
        attempt,
        'if (kills < task.options.maxKills) return undefined',
        'if (kills < Number.POSITIVE_INFINITY) return undefined',
      ),
    ],
  },
  {
    name: 'the back-off is clobbered',
    edits: [
      edit(
        finish,
        'isEchoOfRetry(answer.existing, claim.owner)) return hide(seconds)',
        'isEchoOfRetry(answer.existing, claim.owner)) return hide(0)',
      ),
    ],
  },
  {
    name: 'the final write is tried once',
    edits: [
      edit(
        finish,
        'answer = await persistAgain(environment, envelope.id, claimed.delivery.deadline, write, error)',
        'answer = error === undefined ? await write() : { written: false, existing: undefined }\n    return acknowledge',
      ),
    ],
  },
]

const messages: readonly Mutant[] = [
  {
    name: 'acknowledges under a live lease',
    edits: [edit(attempt, 'return hideUntil(ports, refusal.until)', 'return acknowledge')],
  },
  {
    name: 'a final call is not acknowledged',
    edits: [
      edit(
        attempt,
        'return afterFinal(environment, envelope, delivery.deadline, refusal.record)',
        'return hide(5)',
      ),
    ],
  },
  {
    name: 'a batch is acknowledged when one of it succeeded',
    edits: [
      edit(
        invocation,
        'records.filter(({ messageId }) => !batch.acknowledged.has(messageId))',
        'records.filter(() => batch.acknowledged.size === 0)',
      ),
    ],
  },
  {
    name: 'a poisoned message fails its batch',
    edits: [
      edit(
        attempt,
        '  try {\n    const envelope = decodeEnvelope(delivery.body)',
        '  decodeEnvelope(delivery.body)\n  try {\n    const envelope = decodeEnvelope(delivery.body)',
      ),
    ],
  },
  {
    name: 'an error of the store fails the batch',
    edits: [
      edit(
        invocation,
        "      log('error', 'the batch was returned', { error })\n      end()",
        "      log('error', 'the batch was returned', { error })\n      throw error",
      ),
    ],
  },
  {
    name: 'an error of the store acknowledges',
    edits: [
      edit(
        attempt,
        "    environment.log('warn', 'message returned', { error })\n    return hide(PROTOCOL.unreadableHideSeconds)",
        "    environment.log('warn', 'message returned', { error })\n    return acknowledge",
      ),
    ],
  },
  {
    name: 'a message of a stale record is kept',
    edits: [
      edit(
        attempt,
        "      log('warn', 'stale message dropped', { id })\n      return acknowledge",
        "      log('warn', 'stale message dropped', { id })\n      return hide(60)",
      ),
    ],
  },
  {
    name: 'a dead letter ends its call under a live lease',
    edits: [
      edit(
        record,
        '{ any: [pending, due, leaseOver(now)] },',
        '{ any: isAttempt ? [pending, due, leaseOver(now)] : [pending, due, running] },',
      ),
    ],
    mode: 'low-receive-count',
  },
  {
    name: 'a dead letter is dropped without a write',
    edits: [
      edit(
        attempt,
        '    const limitMs = task === undefined ? 0',
        '    if (isDeadLetter) return { acknowledge: true }\n    const limitMs = task === undefined ? 0',
      ),
    ],
    mode: 'low-receive-count',
  },
]

const senders: readonly Mutant[] = [
  {
    name: 'a put goes over an advanced record',
    edits: [
      edit(
        record,
        "return { any: [noRecord, ['expiresAtSeconds', '<=', Math.floor(nowMs / 1000)]] }",
        "return { any: [noRecord, ['expiresAtSeconds', '>', 0], ['expiresAtSeconds', '<=', Math.floor(nowMs / 1000)]] }",
      ),
    ],
  },
  {
    name: 'no message is sent again on a conflict',
    edits: [
      edit(
        send,
        "return existing.state === 'pending' || existing.state === 'scheduled' ? existing : undefined",
        'return undefined',
      ),
    ],
  },
  {
    name: 'another payload under a key is not refused',
    edits: [edit(send, '  if (existing.payloadHash !== call.record.payloadHash) throw conflict(call)\n', '')],
  },
  {
    name: 'the message is sent before the record is written, and without it',
    edits: [
      edit(
        send,
        ': await settleAll(calls.map(({ record }) => backend.store.put(record, mayCreate(now))))',
        ': await settleAll(calls.map(({ record }) => { void backend.store.put(record, mayCreate(now)).catch(() => {}); return Promise.resolve({ written: true as const, record }) }))',
      ),
    ],
  },
  {
    name: 'a send that failed is not told',
    edits: [edit(send, '    for (const id of ids) unsent.push({ id, error })\n', '')],
  },
  {
    name: 'cancel ends a call that runs',
    edits: [
      edit(
        record,
        "const notBegun: Condition = ['state', 'in', ['pending', 'scheduled', 'retrying']]",
        "const notBegun: Condition = ['state', 'in', ['pending', 'scheduled', 'retrying', 'running']]",
      ),
    ],
  },
  {
    name: 'cancel says true of a call that ended otherwise',
    edits: [
      edit(
        'src/runtime/calls.ts',
        "return existing.state === 'cancelled'",
        "return existing.state !== 'running'",
      ),
    ],
  },
  {
    name: 'a retry by hand takes a call that has not failed',
    edits: [
      edit(
        record,
        "all: [['state', '=', 'failed'], sends",
        "all: [['state', 'in', ['failed', 'succeeded']], sends",
      ),
      edit(
        'src/runtime/retry-by-hand.ts',
        "if (record.state !== 'failed' && !mayBeUnsent)",
        "if (record.state !== 'failed' && record.state !== 'succeeded' && !mayBeUnsent)",
      ),
      edit(
        finish,
        '  if (bytes <= LIMITS.resultBytes) {\n    return finishWithResult',
        '  if (bytes <= LIMITS.resultBytes) {\n    await keepMessage(environment, claimed)\n    return finishWithResult',
      ),
      edit(finish, 'function succeed(', 'async function succeed('),
    ],
  },
  {
    name: 'a follow-up is sent before the final write',
    edits: [
      edit(
        finish,
        '  const write = () => ports.store.update(envelope.id, change)\n',
        '  if (envelope.onSucceeded !== undefined || envelope.onFailed !== undefined) {\n    await afterFinal(environment, envelope, claimed.delivery.deadline, { ...claimed.record, ...change.set })\n  }\n  const write = () => ports.store.update(envelope.id, change)\n',
      ),
    ],
  },
  {
    name: 'a follow-up is not repeated on redelivery',
    edits: [
      edit(
        attempt,
        'return afterFinal(environment, envelope, delivery.deadline, refusal.record)',
        'return acknowledge',
      ),
    ],
  },
  {
    name: 'a follow-up gets an id of its own each time',
    edits: [
      edit(
        'src/runtime/follow-up.ts',
        'followUpId(envelope.id, after, ending),',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
        '`${followUpId(envelope.id, after, ending)}:${Math.floor(now)}`,',
      ),
    ],
  },
]

/** All mutants. */
export const mutants: readonly Mutant[] = [...fence, ...claims, ...ends, ...messages, ...senders]
