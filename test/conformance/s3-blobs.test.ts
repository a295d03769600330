import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { s3Blobs } from '../../src/runtime/aws/s3-blobs.ts'
import { lazyS3 } from '../../src/runtime/aws/s3-client.ts'
import { AccessDeniedError, BlobLostError, ResourceNotFoundError } from '../../src/runtime/errors.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { createBucket } from '../support/s3-bucket.ts'
import { describeBlobs } from './blob-suite.ts'

let server: FauxqsServer
beforeAll(async () => {
  server = await startFauxqs()
})
afterAll(() => server.close())

function blobsIn(bucket: string, at: { readonly endpoint: string } = server, prefix = 'jobs/shop/') {
  const s3 = lazyS3(connectionTo(at), {}, loopbackRegion)
  return { blobs: s3Blobs({ bucket, prefix, s3 }), close: () => s3.close() }
}

describeBlobs('S3 on the wire (fauxqs)', async () => {
  const bucket = await createBucket(server, randomUUID())
  bucket.close()
  return blobsIn(bucket.name)
})

describe('S3 on the wire', () => {
  test('every key lies below the prefix, and another prefix sees nothing of it', async () => {
    const bucket = await createBucket(server, randomUUID())
    const ours = blobsIn(bucket.name)
    const theirs = blobsIn(bucket.name, server, 'jobs/other/')
    await ours.blobs.put('id/result-o', 'ours', 1)
    expect(await bucket.keys()).toEqual(['jobs/shop/id/result-o'])
    expect(await theirs.blobs.get('id/result-o', 10)).toBeUndefined()
    bucket.close()
    await Promise.all([ours.close(), theirs.close()])
  })

  test('a bucket that is not there is named, whatever is asked of it', async () => {
    const { blobs, close } = blobsIn('shop-gone')
    const asked = [blobs.put('id/result-o', 'x', 1), blobs.get('id/result-o', 1)]
    for (const answer of await Promise.allSettled(asked)) {
      const error: unknown = answer.status === 'rejected' ? answer.reason : undefined
      expect(ResourceNotFoundError.is(error)).toBe(true)
      expect(String(error)).toContain('bucket "shop-gone" (jobs/shop/) is not there (s3:')
    }
    await close()
  })
})

/** A server that answers as it is told. */
async function startServer(answer: RequestListener) {
  const scripted = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => scripted.once('listening', resolve))
  const { port } = scripted.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      scripted.closeAllConnections()
      scripted.close()
    },
  }
}

describe('an answer of S3', () => {
  test('that denies is told with the grant that is missing', async () => {
    const scripted = await startServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/xml' })
      response.end('<Error><Code>AccessDenied</Code><Message>no</Message></Error>')
    })
    const { blobs, close } = blobsIn('b', scripted)
    const got = blobs.get('id/result-o', 1)
    await expect(got).rejects.toSatisfy((error) => AccessDeniedError.is(error))
    await expect(got).rejects.toThrow('AWS denied s3:GetObject on bucket "b"')
    await close()
    scripted.close()
  })

  test('that tells no length, and does not end, is given up at the limit', async () => {
    let sent = 0
    const scripted = await startServer((_request, response) => {
      response.writeHead(200)
      const pour = () => {
        while (!response.destroyed) {
          sent += 65_536
          if (!response.write(Buffer.alloc(65_536))) return
        }
      }
      response.on('drain', pour)
      pour()
    })
    const { blobs, close } = blobsIn('b', scripted)
    await expect(blobs.get('id/result-o', 1_000_000)).rejects.toSatisfy((error) => BlobLostError.is(error))
    expect(sent).toBeLessThan(50_000_000)
    await close()
    scripted.close()
  })

  test('that breaks off is asked for again', async () => {
    let requests = 0
    const scripted = await startServer((_request, response) => {
      requests += 1
      response.writeHead(200, { 'content-length': '10' })
      if (requests === 3) response.end('0123456789')
      else response.write('01234', () => response.destroy())
    })
    const { blobs, close } = blobsIn('b', scripted)
    expect(await blobs.get('id/result-o', 10)).toBe('0123456789')
    expect(requests).toBe(3)
    await close()
    scripted.close()
  })

  test('to a put that is lost is asked for again: the key is the same, and so is what lies there', async () => {
    const bodies: string[] = []
    const paths: (string | undefined)[] = []
    const scripted = await startServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => {
        paths.push(request.url)
        bodies.push(body)
        if (bodies.length === 1) response.destroy()
        else response.end()
      })
    })
    const { blobs, close } = blobsIn('b', scripted)
    await blobs.put('id/result-o', 'text', 1)
    expect(new Set(paths)).toEqual(new Set(['/b/jobs/shop/id/result-o?x-id=PutObject']))
    expect(bodies.length).toBe(2)
    expect(bodies.every((body) => body.includes('text'))).toBe(true)
    await close()
    scripted.close()
  })
})
