/**
 * The blob port on Amazon S3.
 * @module
 */

import { BlobLostError } from '../errors.ts'
import { type Blobs, tooLargeToRead } from '../ports/blobs.ts'
import type { Lazy } from './aws-clients.ts'
import { awsErrorName, requesting } from './aws-error.ts'
import type { S3Connection, S3Object } from './s3-client.ts'

/** What the blob port needs. */
export interface S3BlobsOptions {
  readonly bucket: string
  /** What every key begins with. */
  readonly prefix: string
  readonly s3: Lazy<S3Connection>
}

/** The blob port on one bucket. */
export function s3Blobs({ bucket, prefix, s3 }: S3BlobsOptions): Blobs {
  const resource = `bucket "${bucket}" (${prefix})`
  return {
    async put(key, text) {
      const connection = await s3.get()
      await requesting({ action: 's3:PutObject', resource }, () => connection.put(bucket, prefix + key, text))
    },
    async get(key, maxBytes) {
      const connection = await s3.get()
      return requesting({ action: 's3:GetObject', resource }, () =>
        readWhole(connection, bucket, prefix + key, maxBytes),
      )
    },
  }
}

/** How often a read is begun; the SDK repeats requests, but not one whose answer breaks off in the middle. */
const READ_TRIES = 3

async function readWhole(
  connection: S3Connection,
  bucket: string,
  key: string,
  maxBytes: number,
): Promise<string | undefined> {
  for (let tries = 1; ; tries += 1) {
    const object = await open(connection, bucket, key)
    if (object === undefined) return undefined
    try {
      return await readText(object, key, maxBytes)
    } catch (error) {
      if (tries === READ_TRIES || BlobLostError.is(error)) throw error
    }
  }
}

async function open(connection: S3Connection, bucket: string, key: string): Promise<S3Object | undefined> {
  try {
    return await connection.get(bucket, key)
  } catch (error) {
    if (awsErrorName(error) === 'NoSuchKey') return undefined
    throw error
  }
}

/** Reads no more than `maxBytes`, whatever the answer's header says. */
async function readText(object: S3Object, key: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = object.bytes ?? 0
  if (bytes <= maxBytes) {
    bytes = 0
    for await (const chunk of object.chunks) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) break
      chunks.push(chunk)
    }
  }
  if (bytes <= maxBytes) return Buffer.concat(chunks, bytes).toString('utf8')
  object.cancel()
  throw tooLargeToRead(key, maxBytes)
}
