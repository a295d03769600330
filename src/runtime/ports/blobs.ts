/**
 * The blob port: where arguments and results go that are too large for a message or an item. `test/conformance` holds
 * every implementation to it.
 *
 * - **A blob is written before what refers to it**: arguments before record and message, a result before the final
 *   write. A crash in between leaves a blob that nobody asks for, and never a reference to nothing.
 * - **A key is made here**, of the call's id and a fingerprint or an owner, none of which brings a `/` or a `.` into it;
 *   the implementation puts it under the configured bucket, prefix and app. No key, bucket or address is ever read
 *   from a message.
 * - **Nobody changes a blob.** Its key tells arguments by their content and results by the attempt, so writing it
 *   again, after a lost response, writes the same.
 * - **What comes back is checked** by length and, for arguments, by fingerprint: a blob that is gone or another one
 *   ends the attempt, and never reaches a function.
 * @module
 */
import { hash } from 'node:crypto'
import { LIMITS } from '../config/config.ts'
import { BlobLostError } from '../errors.ts'

/** Where large payloads live. */
export interface Blobs {
  /**
   * Keeps `text` under `key`, in place of what is there. Nobody asks for it after `expiresAtSeconds` (epoch); in S3 the
   * bucket's lifecycle rule is what deletes it.
   */
  put(key: string, text: string, expiresAtSeconds: number): Promise<void>
  /**
   * The text under `key` as it was put, `undefined` where there is none. Sees every `put` that was acknowledged before.
   * @throws BlobLostError where it has more than `maxBytes`, before it is read to the end
   */
  get(key: string, maxBytes: number): Promise<string | undefined>
}

/** What an envelope says of arguments that lie in a blob: enough to know them again, and nothing about where they are. */
export interface ArgumentsFingerprint {
  /** Bytes of the encoded arguments in UTF-8, 1 to `LIMITS.blobBytes`. */
  readonly bytes: number
  /** SHA-256 of them, 43 characters of base64url. */
  readonly hash: string
}

const segmentForm = /^[A-Za-z0-9_:-]{1,256}$/
const hashForm = /^[A-Za-z0-9_-]{43}$/

/** The fingerprint of encoded arguments. */
export function fingerprintOf(text: string): ArgumentsFingerprint {
  return { bytes: Buffer.byteLength(text), hash: hash('sha256', text, 'base64url') }
}

/** Whether `value`, of a message, can be a fingerprint of ours: two fields, of their form, within the limit. */
export function isFingerprint(value: unknown): value is ArgumentsFingerprint {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return false
  const { bytes, hash: text } = value as { readonly bytes?: unknown; readonly hash?: unknown }
  if (typeof text !== 'string' || !hashForm.test(text)) return false
  return Number.isSafeInteger(bytes) && (bytes as number) > 0 && (bytes as number) <= LIMITS.blobBytes
}

/**
 * The key of a call's arguments, below bucket, prefix and app. The same key submitted twice may be encoded in two ways,
 * each of which has a blob of its own.
 */
export function argumentsKey(id: string, fingerprint: ArgumentsFingerprint): string {
  return `${segment(id)}/arguments-${segment(fingerprint.hash)}`
}

/** The key of the result that one attempt wrote, below bucket, prefix and app. */
export function resultKey(id: string, owner: string): string {
  return `${segment(id)}/result-${segment(owner)}`
}

/** What errand makes as it is; anything else, which only a message of others can bring, as the hash of it. */
function segment(text: string): string {
  return segmentForm.test(text) ? text : `~${hash('sha256', text, 'base64url')}`
}

/**
 * Reads a call's arguments.
 * @throws BlobLostError where they are gone or others
 */
export async function readArguments(
  blobs: Blobs,
  id: string,
  fingerprint: ArgumentsFingerprint,
): Promise<string> {
  const text = await blobs.get(argumentsKey(id, fingerprint), fingerprint.bytes)
  if (text === undefined) throw lost(`the arguments of the call ${JSON.stringify(id)} are gone`)
  const found = fingerprintOf(text)
  if (found.bytes === fingerprint.bytes && found.hash === fingerprint.hash) return text
  throw lost(`the arguments of the call ${JSON.stringify(id)} are not those that were sent`)
}

/**
 * Reads the result of a call, of `bytes` in UTF-8.
 * @throws BlobLostError where it is gone or another one
 */
export async function readResult(blobs: Blobs, id: string, owner: string, bytes: number): Promise<string> {
  const text = await blobs.get(resultKey(id, owner), bytes)
  if (text === undefined) throw lost(`the result of the call ${JSON.stringify(id)} is gone`)
  const found = Buffer.byteLength(text)
  if (found === bytes) return text
  throw lost(`the result of the call ${JSON.stringify(id)} has ${found} bytes, and ${bytes} were written`)
}

function lost(what: string): BlobLostError {
  return new BlobLostError(
    `${what}; let nothing delete or change what lies under the prefix of \`blobs\` before it is ${LIMITS.blobDays} days old (its lifecycle rule)`,
  )
}

/** The error of a blob that is larger than its reader was told to expect. */
export function tooLargeToRead(key: string, maxBytes: number): BlobLostError {
  return lost(`the blob ${JSON.stringify(key)} has more than the ${maxBytes} bytes that were written`)
}
