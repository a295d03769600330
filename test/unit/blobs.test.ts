import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { inProcessBlobs } from '../../src/local-emulator/in-process-blobs.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { type Config, ENV, LIMITS } from '../../src/runtime/config/config.ts'
import { BlobLostError, InvalidOptionError, NotWiredError } from '../../src/runtime/errors.ts'
import {
  argumentsKey,
  type Blobs,
  fingerprintOf,
  isFingerprint,
  readArguments,
  readResult,
  resultKey,
} from '../../src/runtime/ports/blobs.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

const id = '0190163d-8694-739b-aea5-000000000000'
const text = '{"json":["é😀"]}'

/** What is no id, hash or owner: what could lead out of the place of one call. */
const hostile = [
  '',
  '.',
  '..',
  '../other',
  'a/b',
  'a\\b',
  '/etc/passwd',
  'a\0b',
  'a%2fb',
  'a b',
  'a?versionId=1',
  'a#b',
  'http://169.254.169.254/latest/meta-data',
  's3://other-bucket/key',
  'arn:aws:s3:::other-bucket',
  'é',
  'a\n',
  '$(id)',
]

describe('keys (S-07)', () => {
  test('are made of id and fingerprint, or of id and owner', () => {
    expect(argumentsKey(id, fingerprintOf(text))).toMatch(new RegExp(`^${id}/arguments-[\\w-]{43}$`))
    expect(resultKey(`${id}:then`, 'abc_-9')).toBe(`${id}:then/result-abc_-9`)
  })

  test.each(hostile)('%j cannot lead out of its place, or into that of another', (word) => {
    const keys = [argumentsKey(word, fingerprintOf(text)), argumentsKey(id, { bytes: 1, hash: word })]
    for (const key of [...keys, resultKey(word, 'owner'), resultKey(id, word)]) {
      expect(key).toMatch(/^(?:[\w:-]+|~[\w-]{43})\/(?:arguments|result)-(?:[\w:-]+|~[\w-]{43})$/)
    }
    const others = hostile.filter((other) => other !== word)
    expect(others.map((other) => resultKey(other, 'o'))).not.toContain(resultKey(word, 'o'))
  })

  test('an id of 256 characters is its own name, a longer one is hashed', () => {
    expect(resultKey('a'.repeat(256), 'o')).toHaveLength(265)
    expect(resultKey('a'.repeat(257), 'o')).toMatch(/^~[\w-]{43}\/result-o$/)
  })

  test('a message cannot say where its arguments lie: a fingerprint has no room for it', () => {
    const good = fingerprintOf(text)
    expect(isFingerprint(good)).toBe(true)
    for (const word of hostile) expect(isFingerprint({ ...good, hash: word })).toBe(false)
    for (const more of ['key', 'bucket', 'url', 'prefix', '__proto__x']) {
      expect(isFingerprint({ ...good, [more]: 'x' })).toBe(false)
    }
    for (const other of [null, undefined, true, 'key', 1, [], [1, 2], {}, { hash: good.hash }]) {
      expect(isFingerprint(other)).toBe(false)
    }
  })

  test('its size is from 1 to the limit', () => {
    const { hash } = fingerprintOf(text)
    const sizes = [
      0,
      1,
      LIMITS.blobBytes - 1,
      LIMITS.blobBytes,
      LIMITS.blobBytes + 1,
      -1,
      1.5,
      Number.NaN,
      '9',
    ]
    const taken = sizes.map((bytes) => isFingerprint({ bytes, hash }))
    expect(taken).toEqual([false, true, true, true, false, false, false, false, false])
  })
})

/** A store that has `found` under every key. */
const holding = (found: string | undefined): Blobs => ({ put: async () => {}, get: async () => found })

describe('what comes back', () => {
  test('is taken where it is what was put', async () => {
    expect(await readArguments(holding(text), id, fingerprintOf(text))).toBe(text)
    expect(await readResult(holding(text), id, 'o', Buffer.byteLength(text))).toBe(text)
  })

  test.each([
    ['gone', undefined, /are gone/],
    ['other arguments of the same size', text.replace('é', 'è'), /not those that were sent/],
    ['shorter', text.slice(1), /not those that were sent/],
    ['empty', '', /not those that were sent/],
  ])('arguments that are %s are refused', async (_, found, why) => {
    const read = readArguments(holding(found), id, fingerprintOf(text))
    await expect(read).rejects.toThrow(why)
    await expect(read).rejects.toSatisfy((error) => BlobLostError.is(error))
  })

  test.each([
    ['gone', undefined, /is gone/],
    ['longer by a byte', `${text} `, /has 20 bytes, and 19 were written/],
    ['as long in characters, not in bytes', text.replace('é', 'e'), /has 18 bytes, and 19 were written/],
  ])('a result that is %s is refused', async (_, found, why) => {
    const read = readResult(holding(found), id, 'o', Buffer.byteLength(text))
    await expect(read).rejects.toThrow(why)
    await expect(read).rejects.toSatisfy((error) => BlobLostError.is(error))
  })
})

describe('in process', () => {
  test('a blob is gone after its time, for readers at once and from memory soon', async () => {
    const clock = virtualClock()
    const blobs = inProcessBlobs({ clock })
    const expiry = Math.ceil(clock.now() / 1000) + 60
    await blobs.put('a/result-o', 'a', expiry)
    await clock.advance({ seconds: 59 })
    expect(await blobs.get('a/result-o', 1)).toBe('a')
    await clock.advance({ seconds: 1 })
    expect(await blobs.get('a/result-o', 1)).toBeUndefined()
    await blobs.put('b/result-o', 'b', expiry + 60)
    expect(blobs.keys()).toEqual(['b/result-o'])
  })
})

describe('config `blobs`', () => {
  const prefixOf = (blobs: unknown) => resolveConfig({ name: 'shop', blobs } as Config).blobs

  test('is off, on, or on with a prefix', () => {
    expect([undefined, false].map(prefixOf)).toEqual([undefined, undefined])
    expect([true, {}].map(prefixOf)).toEqual([{ prefix: 'errand/' }, { prefix: 'errand/' }])
    const prefixes = ['', 'jobs/', 'a/b.c/_d-9/', `${'x'.repeat(127)}/`]
    expect(prefixes.map((prefix) => prefixOf({ prefix }))).toEqual(prefixes.map((prefix) => ({ prefix })))
  })

  test.each(['jobs', '/', '/jobs/', 'a//b/', '../', './', 'a/../b/', 'a b/', 'é/', `${'x'.repeat(128)}/`, 7])(
    'the prefix %j is refused',
    (prefix) => {
      expect(() => prefixOf({ prefix })).toThrow(InvalidOptionError)
    },
  )

  test.each(['yes', 1, null, [], { bucket: 'jobs' }])('%j is refused', (blobs) => {
    expect(() => prefixOf(blobs)).toThrow(InvalidOptionError)
  })
})

describe('on AWS', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  const aws = { tableName: 'jobs', queueUrls: {}, region: 'eu-west-1' }
  const without = resolveConfig({ name: 'shop' })
  const config = resolveConfig({ name: 'shop', blobs: true })

  test('the bucket is the option, else the variable; without one it says so', () => {
    vi.stubEnv(ENV.bucket, '')
    expect(() => awsBackend(config, aws)).toThrow(NotWiredError)
    expect(() => awsBackend(config, aws)).toThrow(/no ERRAND_BUCKET \(or the option `bucket`\)/)
    expect(awsBackend(config, { ...aws, bucket: 'shop-blobs' }).blobs).toBeDefined()
    vi.stubEnv(ENV.bucket, 'shop-blobs')
    expect(awsBackend(config, aws).blobs).toBeDefined()
  })

  test('without `blobs` the variable is nothing, and the option a mistake', () => {
    vi.stubEnv(ENV.bucket, 'shop-blobs')
    expect(awsBackend(without, aws).blobs).toBeUndefined()
    expect(() => awsBackend(without, { ...aws, bucket: 'shop-blobs' })).toThrow(/add `blobs: true` to it/)
  })

  /** Runs a program in a fresh process, in which `deny` says which packages are not installed; parses what it prints. */
  async function inFreshProcess(deny: string, lines: string): Promise<unknown> {
    const backend = new URL('../../src/runtime/aws/aws-backend.ts', import.meta.url)
    const program = `
      import { registerHooks } from 'node:module'
      const loaded = new Set()
      registerHooks({ resolve(specifier, context, next) {
        if (specifier === ${JSON.stringify(deny)}) {
          throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
        }
        const resolved = next(specifier, context)
        const name = /node_modules\\/(@aws-sdk\\/client-[a-z0-9-]+)/.exec(resolved.url)?.[1]
        if (name) loaded.add(name)
        return resolved
      } })
      const { awsBackend } = await import(${JSON.stringify(backend.href)})
      const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
      const down = { endpoint: 'http://127.0.0.1:1', credentials }
      const options = { tableName: 'jobs', queueUrls: {}, region: 'eu-west-1', dynamodb: down, s3: down }
      ${lines}`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    return JSON.parse(stdout)
  }

  test('the S3 client is loaded at the first blob, and not before', async () => {
    const answer = await inFreshProcess(
      'none',
      `const backend = awsBackend({ name: 'shop', listing: true, blobs: { prefix: '' } }, { ...options, bucket: 'b' })
      await backend.store.readResult('1', 'me').catch(() => {})
      const before = [...loaded]
      await backend.blobs.get('id/result-o', 1).catch(() => {})
      await backend.close()
      console.log(JSON.stringify({ before, after: [...loaded] }))`,
    )
    const database = '@aws-sdk/client-dynamodb'
    expect(answer).toEqual({ before: [database], after: [database, '@aws-sdk/client-s3'] })
  })

  test('an app that has not installed it is told to, and needs it for nothing else', async () => {
    const answer = await inFreshProcess(
      '@aws-sdk/client-s3',
      `const backend = awsBackend({ name: 'shop', listing: true, blobs: { prefix: '' } }, { ...options, bucket: 'b' })
      const { code, message } = await backend.blobs.get('id/result-o', 1).catch((error) => error)
      await backend.close()
      console.log(JSON.stringify({ code, message }))`,
    )
    expect(answer).toEqual({
      code: 'not-wired',
      message: expect.stringContaining('`npm i @aws-sdk/client-s3`'),
    })
  })
})
