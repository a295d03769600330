import { afterEach, expect, test, vi } from 'vitest'
import { lazyDynamoDb } from '../../src/runtime/aws/aws-clients.ts'
import { MAX_SOCKETS } from '../../src/runtime/aws/request-slots.ts'
import { serveHttp } from '../support/http-server.ts'
import { loopbackCredentials, loopbackRegion } from '../support/loopback-connection.ts'
import { PATIENCE } from '../support/patience.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A server that answers nothing until it is told to. */
async function startHeldServer() {
  const held: (() => void)[] = []
  let holds = true
  const server = await serveHttp({
    async fetch() {
      if (holds) await new Promise<void>((resolve) => held.push(resolve))
      return new Response('{}', { headers: { 'content-type': 'application/x-amz-json-1.0' } })
    },
  })
  return {
    ...server,
    held: () => held.length,
    release() {
      holds = false
      for (const answer of held) answer()
    },
  }
}

async function connect(endpoint: string) {
  const dynamodb = lazyDynamoDb({ endpoint, credentials: loopbackCredentials }, {}, loopbackRegion)
  const { client, sdk } = await dynamodb.get()
  const ask = () => client.send(new sdk.GetItemCommand({ TableName: 'calls', Key: { pk: { S: 'a' } } }))
  return { ask, close: dynamodb.close }
}

test('requests beyond the sockets wait without a limit on their connection', async () => {
  const server = await startHeldServer()
  const { ask, close } = await connect(server.url)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answers = Promise.allSettled(Array.from({ length: MAX_SOCKETS + 30 }, ask))
  await vi.waitUntil(() => server.held() === MAX_SOCKETS, PATIENCE)
  // Past the second that a connection may take, and within the five that an answer may.
  await vi.advanceTimersByTimeAsync(2000)
  expect(server.held()).toBe(MAX_SOCKETS)
  server.release()
  expect((await answers).filter(({ status }) => status === 'rejected')).toEqual([])
  await close()
  await server.stop()
})

test('a request that fails gives its turn to the next', async () => {
  const server = await serveHttp({
    fetch: async () =>
      new Response('{"__type":"ValidationException"}', {
        status: 400,
        headers: { 'content-type': 'application/x-amz-json-1.0' },
      }),
  })
  const { ask, close } = await connect(server.url)
  const answers = await Promise.allSettled(Array.from({ length: 2 * MAX_SOCKETS }, ask))
  expect(answers.every(({ status }) => status === 'rejected')).toBe(true)
  await expect(ask()).rejects.toThrow()
  await close()
  await server.stop()
})
