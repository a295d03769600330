/**
 * Arguments that go to a blob after the submit, or go there again: what keeps their message has less room than SQS, or
 * keeps it for longer than a blob lives.
 * @module
 */

import { encodeEnvelope, type ReceivedEnvelope } from '../call/envelope.ts'
import { BlobLostError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'
import { argumentsKey, fingerprintOf, readArguments } from '../ports/blobs.ts'

/** A message that no item can hold, its arguments in a blob. */
export async function withoutArguments(
  { blobs }: Pick<Ports, 'blobs'>,
  { args, ...envelope }: ReceivedEnvelope,
  expiresAtSeconds: number,
): Promise<string> {
  const text = JSON.stringify(args)
  const blob = fingerprintOf(text)
  await blobs?.put(argumentsKey(envelope.id, blob), text, expiresAtSeconds)
  return encodeEnvelope({ ...envelope, blob }, text)
}

/** Writes the arguments of a call again that lie in a blob, so that their age begins anew. */
export async function renewArguments(
  { blobs }: Pick<Ports, 'blobs'>,
  { id, blob }: ReceivedEnvelope,
  expiresAtSeconds: number,
): Promise<void> {
  if (blobs === undefined || blob === undefined) return
  try {
    const text = await readArguments(blobs, id, blob)
    await blobs.put(argumentsKey(id, blob), text, expiresAtSeconds)
  } catch (error) {
    // The attempt that needs them says so.
    if (!BlobLostError.is(error)) throw error
  }
}
