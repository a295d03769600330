/**
 * Makes buckets on a wire server, for tests.
 * @module
 */
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { connectionTo, loopbackRegion, type WireServer } from './loopback-connection.ts'

/** One bucket, as its owner sees it. */
export interface Bucket {
  readonly name: string
  keys(): Promise<readonly string[]>
  put(key: string, body: string | Uint8Array): Promise<void>
  close(): void
}

/** Makes an empty bucket; fauxqs serves S3 beside SQS, at the same endpoint. */
export async function createBucket(server: Pick<WireServer, 'endpoint'>, name: string): Promise<Bucket> {
  const client = new S3Client({ region: loopbackRegion, forcePathStyle: true, ...connectionTo(server) })
  await client.send(new CreateBucketCommand({ Bucket: name }))
  return {
    name,
    keys: async () => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }))
      return Contents.map(({ Key = '' }) => Key)
    },
    put: async (key, body) => {
      await client.send(new PutObjectCommand({ Bucket: name, Key: key, Body: body }))
    },
    close: () => client.destroy(),
  }
}
