import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { endpointOf, lazyDynamoDb, lazySqs, regionOf } from '../../src/runtime/aws/aws-clients.ts'
import { listingTime, shardOf, tableDefinition } from '../../src/runtime/aws/dynamodb-item.ts'
import { ENV, type ResolvedConfig } from '../../src/runtime/config/config.ts'
import { InvalidOptionError, NotWiredError } from '../../src/runtime/errors.ts'

const config: ResolvedConfig = {
  name: 'shop',
  queues: new Map(),
  defaultQueue: 'default',
  workers: new Map(),
  routes: {},
  taskOptions: {},
  record: 'on-submit',
  listing: true,
  longDelays: false,
  schedules: new Map(),
}

/** The error that `run` throws. */
function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('wiring', () => {
  test('what is missing is named, and how to add it', () => {
    vi.stubEnv(ENV.table, '')
    vi.stubEnv(ENV.queueUrls, '')
    const both = thrownBy(() => awsBackend(config))
    expect(NotWiredError.is(both)).toBe(true)
    expect(String(both)).toMatch(/no ERRAND_TABLE \(or the option `tableName`\) and no ERRAND_QUEUE_URLS/)
    expect(String(both)).toContain('fleet.addClient(fn, { submit: true, read: true })')
    const table = String(thrownBy(() => awsBackend(config, { queueUrls: {} })))
    expect(table).toContain('ERRAND_TABLE')
    expect(table).not.toContain('ERRAND_QUEUE_URLS')
  })

  test.each([
    ['1a2b3c4d5e6f', '1a2b3c4d5e6f'],
    ['', undefined],
    ['with a space', undefined],
    ['x'.repeat(65), undefined],
  ])('the code version %j counts as %j', (variable, version) => {
    vi.stubEnv(ENV.version, variable)
    const backend = awsBackend(config, { tableName: 'jobs', queueUrls: {} })
    vi.stubEnv(ENV.version, 'changed')
    expect(backend.version).toBe(version)
  })

  test.each(['{', '[]', 'null', '{"a":1}'])('the variable %s is not a map of URLs', (json) => {
    vi.stubEnv(ENV.table, 'jobs')
    vi.stubEnv(ENV.queueUrls, json)
    const error = thrownBy(() => awsBackend(config))
    expect(InvalidOptionError.is(error)).toBe(true)
    expect(String(error)).toContain(`ERRAND_QUEUE_URLS is ${json}, expected a JSON object`)
  })

  test('the variables are enough; nothing is requested to start or close', async () => {
    vi.stubEnv(ENV.table, 'jobs')
    vi.stubEnv(ENV.queueUrls, '{"low":"https://sqs.eu-west-1.amazonaws.com/1/shop-low"}')
    const backend = awsBackend(config)
    expect(backend.kind).toBe('aws')
    expect(backend.queue.nameOfArn('arn:aws:sqs:eu-west-1:1:shop-low')).toBe('low')
    await backend.start()
    await backend.close()
    await backend.close()
  })
})

describe('clients', () => {
  test('the endpoint is the option, else the variable of the service, else the one of all', () => {
    const all = { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_SQS: 'http://sqs' }
    expect(endpointOf('SQS', all, 'http://option')).toBe('http://option')
    expect(endpointOf('SQS', all)).toBe('http://sqs')
    expect(endpointOf('DYNAMODB', all)).toBe('http://all')
    expect(endpointOf('SQS', { AWS_ENDPOINT_URL: '' })).toBeUndefined()
  })

  test('the region is the option, else a variable', () => {
    expect(regionOf({ AWS_REGION: 'a', AWS_DEFAULT_REGION: 'b' }, 'c')).toBe('c')
    expect(regionOf({ AWS_REGION: 'a', AWS_DEFAULT_REGION: 'b' })).toBe('a')
    expect(regionOf({ AWS_DEFAULT_REGION: 'b' })).toBe('b')
    expect(regionOf({})).toBeUndefined()
  })

  test('an endpoint from the environment is given to the SDK, so that it does not follow queue URLs', async () => {
    const sqs = lazySqs({}, { AWS_ENDPOINT_URL: 'http://127.0.0.1:9324', AWS_REGION: 'eu-west-1' })
    const { client } = await sqs.get()
    expect(await client.config.region()).toBe('eu-west-1')
    expect(await client.config.endpoint?.()).toMatchObject({ hostname: '127.0.0.1', port: 9324 })
    expect(client.config.md5).toBe(false)
    expect((await sqs.get()).client).toBe(client)
    await sqs.close()
  })

  test('a client from outside is used as it is, and left open', async () => {
    const client = new DynamoDBClient({ region: 'eu-west-1' })
    const destroy = vi.spyOn(client, 'destroy')
    const lazy = lazyDynamoDb({ client }, {})
    expect((await lazy.get()).client).toBe(client)
    await lazy.close()
    expect(destroy).not.toHaveBeenCalled()
    client.destroy()
  })

  test('a fresh process loads no SDK for a backend, and only the client that it uses', async () => {
    const backend = new URL('../../src/runtime/aws/aws-backend.ts', import.meta.url)
    const program = `
      import { registerHooks } from 'node:module'
      const loaded = new Set()
      registerHooks({ resolve(specifier, context, next) {
        const resolved = next(specifier, context)
        const name = /node_modules\\/(@aws-sdk\\/client-[a-z-]+)/.exec(resolved.url)?.[1]
        if (name) loaded.add(name)
        return resolved
      } })
      const { awsBackend } = await import(${JSON.stringify(backend.href)})
      const options = {
        tableName: 'jobs',
        queueUrls: {},
        region: 'eu-west-1',
        dynamodb: { endpoint: 'http://127.0.0.1:1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } },
      }
      const backend = awsBackend({ name: 'shop', listing: true }, options)
      const before = [...loaded]
      await backend.store.readResult('1', 'me').catch(() => {})
      console.log(JSON.stringify({ before, after: [...loaded] }))`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    expect(JSON.parse(stdout)).toEqual({ before: [], after: ['@aws-sdk/client-dynamodb'] })
  })
})

describe('the table', () => {
  test('has string keys, and indexes of keys only for the listing and for what failed', () => {
    expect(tableDefinition('jobs')).toMatchObject({
      TableName: 'jobs',
      BillingMode: 'PAY_PER_REQUEST',
      GlobalSecondaryIndexes: [
        { IndexName: 'listing', Projection: { ProjectionType: 'KEYS_ONLY' } },
        { IndexName: 'failed', Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
    })
  })

  test('the listing spreads ids over its shards, and its times sort as text', () => {
    const counts = [0, 0, 0, 0]
    for (let index = 0; index < 4000; index += 1) {
      const shard = shardOf(`0190163d-8694-739b-aea5-${String(index).padStart(12, '0')}`)
      counts[shard] = (counts[shard] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(listingTime(999_999_999_999) < listingTime(1_000_000_000_000)).toBe(true)
  })
})
