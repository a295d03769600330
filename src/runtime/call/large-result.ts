/**
 * Results that are too large for the record: up to an item's limit in an item of their own, or where the config has
 * `blobs`, over 32 KiB in a blob. Either is written before the final write, which must not refer to what is not there.
 * @module
 */

import type { Codec } from '../codec/codec.ts'
import { LIMITS } from '../config/config.ts'
import { NotWiredError, ResultTooLargeError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'
import { readResult, resultKey } from '../ports/blobs.ts'
import type { CallRecord } from './record.ts'

/** What is to be known of a large result to read it. */
export type ResultPlace = Pick<CallRecord, 'id' | 'owner' | 'resultBytes' | 'resultIn'>

/** Why these ports cannot keep a result of a task, or `undefined` where they can. */
export function tooLarge(
  { blobs }: Pick<Ports, 'blobs'>,
  task: string,
  bytes: number,
): ResultTooLargeError | undefined {
  const most = blobs === undefined ? LIMITS.resultBytes : LIMITS.blobBytes
  if (bytes <= most) return undefined
  const rule =
    blobs === undefined
      ? "DynamoDB's item limit); store the data and return its key, or configure a bucket (`blobs`)"
      : '64 MiB: a worker holds it whole); store the data and return its key'
  return new ResultTooLargeError(
    `task ${JSON.stringify(task)} returned ${bytes} bytes, at most ${most} (${rule}`,
  )
}

/** Keeps a result of `bytes` that is too large for the record. Returns what the record says of where it lies. */
export async function keepResultBeside(
  { store, blobs }: Pick<Ports, 'store' | 'blobs'>,
  { id, owner }: { readonly id: string; readonly owner: string },
  text: string,
  bytes: number,
  expiresAtSeconds: number,
): Promise<Pick<CallRecord, 'resultBytes' | 'resultIn'>> {
  if (blobs === undefined || bytes <= LIMITS.blobResultBytes) {
    await store.putResult(id, owner, text, expiresAtSeconds)
    return { resultBytes: bytes }
  }
  await blobs.put(resultKey(id, owner), text, expiresAtSeconds)
  return { resultBytes: bytes, resultIn: 'blob' }
}

/**
 * The result that lies beside a record, `undefined` where it is gone with its time.
 * @throws BlobLostError where it was in a blob, and is not there as it was written
 */
export async function readResultBeside(
  { store, blobs }: Pick<Ports, 'store' | 'blobs'>,
  { id, owner = '', resultBytes = 0, resultIn }: ResultPlace,
): Promise<string | undefined> {
  if (resultIn === undefined) return store.readResult(id, owner)
  if (blobs !== undefined) return readResult(blobs, id, owner, Math.min(resultBytes, LIMITS.blobBytes))
  throw new NotWiredError(
    `the result of the call ${JSON.stringify(id)} lies in a bucket, and this process has none; make it of a config that has \`blobs\``,
  )
}

/** The value of a result's text, which from a blob may be longer than from anywhere else. */
export function decodeResult(
  codec: Codec,
  { resultIn }: Pick<ResultPlace, 'resultIn'>,
  text: string,
): unknown {
  return resultIn === undefined ? codec.decode(text) : codec.decode(text, LIMITS.blobBytes)
}
