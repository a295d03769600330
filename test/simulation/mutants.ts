/**
 * All mutants: breaks of the protocol that the simulation has to find.
 * @module
 */
import { claimMutants, fenceMutants } from './claim-mutants.ts'
import { endMutants, messageMutants } from './end-mutants.ts'
import { edit, type Mutant } from './mutant.ts'
import { timeMutants } from './time-mutants.ts'

const attempt = 'src/runtime/attempt/attempt.ts'
const finish = 'src/runtime/attempt/finish-attempt.ts'
const record = 'src/runtime/call/record.ts'
const send = 'src/runtime/submit/send.ts'

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
        '? await settleAll(calls.map((call) => write(',
        '? await settleAll(calls.map((call) => writtenLater(',
      ),
      edit(
        send,
        'function writeRecord(',
        'function writtenLater(...given: Parameters<typeof write>) {\n  void write(...given).catch(() => {})\n  return Promise.resolve({ written: true as const, record: given[2].record })\n}\n\nfunction writeRecord(',
      ),
    ],
  },
  {
    name: 'a send that failed is not told',
    edits: [edit(send, '    for (const { id } of records) unsent.push({ id, error })\n', '')],
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
        'src/runtime/future/calls.ts',
        "return existing.state === 'cancelled'",
        "return existing.state !== 'running'",
      ),
    ],
  },
  {
    name: 'a retry by hand takes a call that has not failed',
    edits: [
      edit(
        'src/runtime/operations/renewal.ts',
        "all: [['state', '=', 'failed'], sends",
        "all: [['state', 'in', ['failed', 'succeeded']], sends",
      ),
      edit(
        'src/runtime/operations/retry-by-hand.ts',
        "if (record.state !== 'failed' && !mayBeUnsent)",
        "if (record.state !== 'failed' && record.state !== 'succeeded' && !mayBeUnsent)",
      ),
      edit(
        finish,
        '  if (error === undefined) {\n    return finishWithResult',
        '  if (error === undefined) {\n    await keepMessage(environment, claimed)\n    return finishWithResult',
      ),
      edit(finish, 'function succeed(', 'async function succeed('),
    ],
  },
  {
    name: 'a follow-up is sent before the final write',
    foundAtSeed: 415,
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
        'src/runtime/attempt/follow-up.ts',
        '    id,\n    { id: envelope.id, depth',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
        '    `${id}:${Math.floor(now)}`,\n    { id: envelope.id, depth',
      ),
    ],
  },
]

/** All mutants. */
export const mutants: readonly Mutant[] = [
  ...fenceMutants,
  ...claimMutants,
  ...endMutants,
  ...messageMutants,
  ...timeMutants,
  ...senders,
]
