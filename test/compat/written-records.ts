/**
 * Records in every state, as today's code writes them to DynamoDB, and the items beside them.
 * @module
 */
import { itemOf, listingKeys, messageItem, resultItem } from '../../src/runtime/aws/dynamodb-item.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'

/** A record and its item. */
export interface WrittenRecord {
  readonly name: string
  readonly record: CallRecord
  readonly item: Readonly<Record<string, unknown>>
}

const base: CallRecord = {
  id: '019b76da-a800-7000-8000-000000000001',
  task: 'reports.build',
  queue: 'default',
  payloadHash: 'AbC_-0123456789abcdefg',
  state: 'pending',
  createdAt: 1_767_225_600_000,
  dueAt: 1_767_225_600_000,
  expiresAtSeconds: 1_767_657_600,
  attempts: 0,
  failures: 0,
}
const begun = { ...base, attempts: 1, startedAt: 1_767_225_601_000, owner: 'b3duZXItb2YtMTI' }
const ended = { ...begun, finishedAt: 1_767_225_602_000 }
const failure = { failures: 3, attempts: 3, failedIn: 'default', lastError: 'Error: no paper' }

/** Every field at once; a new field of records has to be added here before this compiles. */
const everyField: Required<CallRecord> = {
  ...ended,
  ...failure,
  state: 'failed',
  startBy: 1_767_229_200_000,
  leaseUntil: 1_767_225_663_000,
  abortReason: 'site is down',
  progress: '{"json":{"page":3}}',
  progressNumber: 3,
  killsBefore: 1,
  result: '{"json":null}',
  resultBytes: 5000,
  resultIn: 'blob',
  reason: 'timed-out',
  sends: 2,
  forgiven: 3,
  history: '1:0:rs:Error 2:1x:3k:TypeError',
  tenant: 'acme',
  parent: '019b76da-a800-7000-8000-00000000abcd',
  depth: 7,
}

const records: Readonly<Record<string, CallRecord>> = {
  pending: base,
  scheduled: { ...base, state: 'scheduled', dueAt: base.dueAt + 90_000 },
  'with an expiry': { ...base, startBy: 1_767_229_200_000 },
  running: {
    ...begun,
    state: 'running',
    leaseUntil: 1_767_225_663_000,
    progress: '{"json":1}',
    progressNumber: 1,
  },
  'running and marked': { ...begun, state: 'running', leaseUntil: 1_767_225_663_000, abortReason: 'enough' },
  retrying: {
    ...begun,
    state: 'retrying',
    failures: 1,
    lastError: 'Error: no paper',
    dueAt: 1_767_225_700_000,
  },
  succeeded: { ...ended, state: 'succeeded', result: '{"json":[1]}' },
  'succeeded, its result beside it': { ...ended, state: 'succeeded', resultBytes: 20_000 },
  'succeeded, its result in a blob': { ...ended, state: 'succeeded', resultBytes: 40_000, resultIn: 'blob' },
  failed: { ...ended, ...failure, state: 'failed', reason: 'threw', result: '{"json":null}' },
  'retried by hand': { ...begun, state: 'pending', failedIn: 'default', sends: 2, forgiven: 3, attempts: 3 },
  cancelled: { ...base, state: 'cancelled', finishedAt: 1_767_225_602_000 },
  'every field': everyField,
}

/** All of them. */
export function writtenRecords(): WrittenRecord[] {
  return Object.entries(records).map(([name, record]) => ({
    name,
    record,
    item: { ...itemOf(record), ...listingKeys(record.id, record) },
  }))
}

/** What lies beside a record: a result that is too large for it, the message of a call that failed. */
export function writtenBeside() {
  const [result, body] = ['{"json":"large"}', '{"v":1,"id":"x"}']
  return [
    { name: 'a result', text: result, item: resultItem(base.id, begun.owner, result, base.expiresAtSeconds) },
    { name: 'a message', text: body, item: messageItem(base.id, body, base.expiresAtSeconds) },
  ]
}
