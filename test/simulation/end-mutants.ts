/**
 * Breaks of the end of an attempt, and of what becomes of its message.
 * @module
 */
import { edit, type Mutant } from './mutant.ts'

const attempt = 'src/runtime/attempt/attempt.ts'
const finish = 'src/runtime/attempt/finish-attempt.ts'
const invocation = 'src/handlers/invocation.ts'
const record = 'src/runtime/call/record.ts'
const worker = 'src/handlers/worker.ts'

/** Breaks of the end of an attempt. */
export const endMutants: readonly Mutant[] = [
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
    foundAtSeed: 474,
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
    foundAtSeed: 2133,
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
        "    set: { state: 'retrying', dueAt, lastError, expiresAtSeconds, ...known },\n    increment: failed,\n",
        "    set: { state: 'retrying', dueAt, lastError, expiresAtSeconds, ...known },\n",
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
    edits: [edit(finish, 'if (!isLong) return hide(seconds)\n', 'if (!isLong) return hide(0)\n')],
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

/** Breaks of the handling of messages. */
export const messageMutants: readonly Mutant[] = [
  {
    name: 'a future shows progress in the order of its reads',
    foundAtSeed: 3965,
    edits: [
      edit(
        'src/runtime/future/future.ts',
        'return (a.progressNumber ?? 0) < (b.progressNumber ?? 0)',
        'return false',
      ),
    ],
  },
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
    name: 'what follows a failure in its group overtakes it',
    edits: [
      edit(
        worker,
        'if (stopped) returned.add(record, 0)',
        'if (stopped && index < 0) returned.add(record, 0)',
      ),
    ],
  },
  {
    name: 'the calls of a group run together',
    edits: [edit(worker, '?.fifo !== true) return undefined', '?.fifo !== undefined) return undefined')],
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
