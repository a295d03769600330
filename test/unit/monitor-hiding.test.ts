import { cloudWatchLogs } from 'errand/monitor'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { hostileTexts } from '../support/hostile-texts.ts'
import type { StageOptions } from '../support/monitor-stage.ts'
import { encoded, monitorStage } from '../support/monitor-stage.ts'

/** Every page that shows the calls `bad` and `good`, as HTML and as JSON. */
async function everything({ request }: Awaited<ReturnType<typeof monitorStage>>): Promise<string> {
  const texts: string[] = []
  for (const path of [
    '/',
    '/calls',
    '/calls/bad',
    '/calls/good',
    '/failed',
    '/tasks',
    '/queues/low',
    '/failed/retry',
  ]) {
    for (const accept of ['text/html', 'application/json']) {
      texts.push(await (await request(path, { headers: { accept, who: 'manage' } })).text())
    }
  }
  return texts.join('\n')
}

/** A failed and a running call whose every payload is full of secrets. */
async function secretive(options: StageOptions) {
  const stage = await monitorStage(options)
  const secrets = {
    ...{
      password: 'S3CRET-1',
      userPassword: 'S3CRET-2',
      api_key: 'S3CRET-3',
      Authorization: 'Bearer S3CRET-4',
    },
    ...{ nested: [new Map([['refresh-token', 'S3CRET-5']]), { clientSecret: { value: 'S3CRET-6' } }] },
    ...{ note: 'password=S3CRET-7 and "token": "S3CRET-8"', plain: 'PLAIN' },
  }
  const error = new TypeError('password: S3CRET-9, PLAIN', {
    cause: new Error('authorization: Bearer S3CRET-10'),
  })
  await stage.put({
    ...{ id: 'bad', state: 'failed', reason: 'threw', failedIn: 'low', failures: 1, task: 'auth.login' },
    ...{ lastError: 'TypeError: password=S3CRET-11', result: encoded(error), progress: encoded(secrets) },
  })
  const headers = { authorization: 'Bearer S3CRET-13', 'x-trace': 'a trace' }
  await stage.keep('bad', 'auth.login', ['POSITIONAL', secrets], { headers })
  await stage.put({
    id: 'good',
    task: 'auth.login',
    result: encoded(secrets),
    progress: encoded({ token: 'S3CRET-12' }),
  })
  return everything(stage)
}

describe('what is hidden', () => {
  test('by the names of properties, wherever they stand', async () => {
    const shown = await secretive({})
    expect(shown).not.toMatch(/S3CRET/)
    expect(shown).toContain('PLAIN')
    expect(shown).toContain('POSITIONAL')
    expect(shown).toContain('[redacted]')
  })

  test('by names of one’s own, and by task', async () => {
    const redact = { keys: ['Pl-ain'], tasks: { 'auth.*': [0, 'note'] } }
    const shown = await secretive({ redact })
    expect(shown).not.toMatch(/S3CRET|POSITIONAL|'PLAIN'|note: 'pass/)
  })

  test('all of a task', async () => {
    const shown = await secretive({ redact: { tasks: { 'auth.login': true } } })
    expect(shown).not.toMatch(/S3CRET|POSITIONAL|PLAIN/)
    expect(shown).toContain('TypeError')
  })

  test('all payloads', async () => {
    const shown = await secretive({ payloads: false })
    expect(shown).not.toMatch(/S3CRET|POSITIONAL|PLAIN/)
    expect(shown).toContain('TypeError')
  })

  test('all payloads, and those in a bucket are not even asked for: the role could not read them', async () => {
    const asked: string[] = []
    const blobs = {
      put: async () => {},
      get: async (key: string) => {
        asked.push(key)
        throw new Error('AccessDenied of arn:aws:sts::000000000000:assumed-role/monitor')
      },
    }
    const options = { payloads: false, wrap: (backend: Backend): Backend => ({ ...backend, blobs }) }
    const { json, put, keep } = await monitorStage(options)
    await put({ id: 'bad', state: 'failed', reason: 'threw', failedIn: 'low', failures: 1 })
    const blob = { bytes: 40_000, hash: 'A'.repeat(43) }
    await keep('bad', 'add', [], { blob, onFailed: 'mail.send' })
    expect(await json('/calls/bad')).toMatchObject({
      arguments: { absent: 'hidden here' },
      followUps: { catch: 'mail.send' },
    })
    expect(asked).toEqual([])
  })

  test('what was thrown and is no error, by its names too', async () => {
    const { json, put } = await monitorStage({ redact: { keys: ['salary'] } })
    const thrown = { otp: 'S3CRET', inner: new Map([['salary', 'S3CRET']]), plain: 'PLAIN' }
    await put({
      ...{ id: 'bad', state: 'failed', reason: 'threw', failedIn: 'low', failures: 1 },
      result: encoded(new Error('no', { cause: thrown })),
    })
    const { errors } = await json<{ errors: { message: string }[] }>('/calls/bad')
    expect(errors[1]?.message).toContain('PLAIN')
    expect(errors[1]?.message).not.toContain('S3CRET')
  })

  test('values that hold themselves', async () => {
    const { json, put } = await monitorStage()
    const value: Record<string, unknown> = { token: 'S3CRET' }
    value.self = value
    await put({ id: 'round', result: encoded({ value }) })
    const { text } = (await json<{ result: { text: string } }>('/calls/round')).result
    expect(text).toContain('[Circular')
    expect(text).toContain("token: '[redacted]'")
  })
})

describe('hostile texts', () => {
  test('are escaped in every field of every page', async () => {
    expect(hostileTexts.length).toBeGreaterThanOrEqual(40)
    for (const text of hostileTexts) {
      const stage = await monitorStage()
      await stage.put({
        ...{
          id: 'bad',
          state: 'failed',
          reason: 'threw',
          failedIn: 'low',
          failures: 1,
          task: text,
          tenant: text,
        },
        ...{ parent: text, lastError: text, abortReason: text, progress: encoded({ [text]: text }) },
        result: encoded(Object.assign(new Error(text, { cause: text }), { name: text, stack: text })),
      })
      await stage.keep('bad', text, [text, { [text]: text }], { onFailed: text })
      await stage.put({ id: 'good', task: text, result: encoded(text), parent: 'bad' })
      const pages = [
        await everything(stage),
        await stage.html(`/calls?task=${encodeURIComponent(text)}`),
      ].join('')
      const shown = pages.replaceAll(/<script src="\/jobs\/assets\/[\w.]+" defer><\/script>/g, '')
      const html = shown
        .split('\n')
        .filter((line) => !line.startsWith('{'))
        .join('\n')
      expect(html, text).not.toMatch(
        /<script|<img|<svg onload|<svg><|<iframe|<object|<embed|<base|<b onclick/i,
      )
      expect(html, text).not.toMatch(/href="(?!\/jobs[/"?]|#content)/)
      expect(html.replaceAll(/"[^"]*"/g, ''), text).not.toMatch(/<[^>]* on\w+=/)
      // What somebody filters by stands in the field as it was given.
      expect(html.replaceAll(/ value="[^"]*"/g, ''), text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    }
  })

  test('an id of markup has a page of its own', async () => {
    const { html, put } = await monitorStage()
    for (const id of ['<img src=x onerror=__xss()>', 'a/b?c#d', '"quoted"', '../../etc']) {
      await put({ id })
      const page = await html(`/calls/${encodeURIComponent(id)}`)
      expect(page, id).toContain('<h1><bdi')
      expect(page, id).not.toContain('<img')
    }
  })
})

describe('the link to a log', () => {
  const call = { id: 'an-id', task: 'add', queue: 'low', createdAt: new Date('2026-01-01T10:00:00Z') }

  test('asks CloudWatch for the lines of the call', () => {
    const link = cloudWatchLogs({ region: 'eu-central-1', logGroups: ['/aws/lambda/foo'] })(call)
    expect(link).toMatch(
      /^https:\/\/eu-central-1\.console\.aws\.amazon\.com\/cloudwatch\/home\?region=eu-central-1#logsV2:logs-insights\$253FqueryDetail\$253D/,
    )
    const detail = decodeURIComponent(
      decodeURIComponent(link.split('queryDetail')[1]?.replaceAll('$', '%') ?? ''),
    )
    expect(detail).toContain("source~(~'*2faws*2flambda*2ffoo)")
    expect(detail).toContain("start~'2026-01-01T09*3a00*3a00.000Z")
    expect(detail).toContain('filter*20id*20*3d*20*22an-id*22')
  })

  test('is shown only where it is one', async () => {
    for (const [logs, shown] of [
      [() => 'https://logs.test/x', true],
      [() => 'javascript:__xss()', false],
      [() => undefined, false],
    ] as const) {
      const { html, put } = await monitorStage({ logs })
      await put({ id: 'good' })
      expect((await html('/calls/good')).includes('CloudWatch')).toBe(shown)
    }
    expect(() => cloudWatchLogs({ region: 'here', logGroups: [] })).toThrow(
      '`region` of cloudWatchLogs is "here"',
    )
  })
})
