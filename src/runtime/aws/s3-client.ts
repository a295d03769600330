/**
 * The S3 client. `@aws-sdk/client-s3` is an optional peer: it is loaded at the first large payload, and a bundle
 * holds it only where the app has installed it.
 * @module
 */
import type * as S3Sdk from '@aws-sdk/client-s3'
import { NotWiredError } from '../errors.ts'
import {
  clientConfig,
  type Environment,
  type Lazy,
  lazily,
  type PeerOptions,
  requestHandler,
} from './aws-clients.ts'
import { inSlots } from './request-slots.ts'

/** How to reach S3. With an endpoint, buckets are addressed by path, as emulators want it. */
export type S3Options = PeerOptions

/** An object, being read. */
export interface S3Object {
  /** What S3 says of its length, in bytes. */
  readonly bytes: number | undefined
  readonly chunks: AsyncIterable<Uint8Array>
  /** Stops reading; the connection is given up. */
  cancel(): void
}

/** S3, connected: the two requests that are made of it. */
export interface S3Connection {
  put(bucket: string, key: string, text: string): Promise<void>
  /** Rejects with the SDK's `NoSuchKey` where there is none. */
  get(bucket: string, key: string): Promise<S3Object>
}

/** A large payload may take longer than a message or a record; no part of its way may stand still for longer than this. */
const timeouts = { requestTimeout: 60_000, socketTimeout: 5000 }

/** The S3 client, not yet made. */
export function lazyS3(options: S3Options, env: Environment, region?: string): Lazy<S3Connection> {
  const connection = lazily(loadSdk, options.client as S3Sdk.S3Client | undefined, (sdk) => {
    const config = clientConfig('S3', options, env, region)
    const forcePathStyle = config.endpoint !== undefined
    const client = new sdk.S3Client({
      ...config,
      forcePathStyle,
      requestHandler: { ...requestHandler, ...timeouts },
    })
    return inSlots(client)
  })
  return {
    async get() {
      const { client, sdk } = await connection.get()
      return {
        async put(bucket, key, text) {
          const Body = Buffer.from(text)
          await client.send(
            new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body, ContentType: 'application/json' }),
          )
        },
        async get(bucket, key) {
          return objectOf(await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key })))
        },
      }
    },
    close: connection.close,
  }
}

function objectOf({ Body, ContentLength }: S3Sdk.GetObjectCommandOutput): S3Object {
  const stream = Body as AsyncIterable<Uint8Array> & { destroy(): void }
  return { bytes: ContentLength, chunks: stream, cancel: () => stream.destroy() }
}

/** Literal, so that bundlers see it; with a `catch`, so that they do not insist on it. */
function loadSdk(): Promise<typeof S3Sdk> {
  return import('@aws-sdk/client-s3').catch((cause: unknown) => {
    throw new NotWiredError(
      'the config has `blobs`, and the package @aws-sdk/client-s3 cannot be loaded (see cause): `npm i @aws-sdk/client-s3`',
      { cause },
    )
  })
}
