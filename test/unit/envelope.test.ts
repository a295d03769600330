import { MalformedMessageError } from 'errand'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeEnvelope,
  ENVELOPE_VERSION,
  type Envelope,
  encodeEnvelope,
  isOfNewerVersion,
} from '../../src/runtime/call/envelope.ts'

const envelope: Envelope = {
  v: ENVELOPE_VERSION,
  id: '019b76da-a800-7467-b9c1-000000000001',
  task: 'reports.build',
  queue: 'default',
  payloadHash: 'hash',
  createdAt: 1_767_225_600_000,
  dueAt: 1_767_225_600_000,
}
const full: Envelope = { ...envelope, tenant: 'acme', parent: 'p', depth: 3 }
const args = { json: [1, 'two'] }
const bodyWith = (change: Record<string, unknown>) => JSON.stringify({ ...full, args, ...change })

function refusal(body: string): Error {
  try {
    decodeEnvelope(body)
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

describe('an envelope', () => {
  test.each([envelope, full])('comes back as it was', (sent) => {
    expect(decodeEnvelope(encodeEnvelope(sent, JSON.stringify(args)))).toEqual({ ...sent, args })
  })

  test('whose arguments lie in a blob has their size and hash, and no arguments', () => {
    const sent: Envelope = { ...full, blob: { bytes: 2_000_000, hash: 'h'.repeat(43) } }
    const body = encodeEnvelope(sent, JSON.stringify(args))
    expect(body).not.toContain('args')
    expect(decodeEnvelope(body)).toEqual(sent)
  })

  test('holds only characters that SQS takes, and every text comes back', () => {
    const unit = fc.constantFrom(
      'a',
      '"',
      '\\',
      '\n',
      '\u0000',
      'é',
      '\uffff',
      '\ufffe',
      '😀',
      '\ud800',
      '\udc00',
    )
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const body = encodeEnvelope({ ...envelope, task: `t${text}` }, JSON.stringify({ json: [text] }))
        expect(body).toMatch(/^[\x20-\ud7ff\ue000-\ufffd]*$/)
        const decoded = decodeEnvelope(body)
        expect([decoded.task, decoded.args]).toEqual([`t${text}`, { json: [text] }])
      }),
    )
  })

  test('may have headers, of which none is bad', () => {
    const sent = { ...full, headers: { traceparent: '00-1-2-01', 'x-language': '' } }
    expect(decodeEnvelope(encodeEnvelope(sent, JSON.stringify(args)))).toEqual({ ...sent, args })
    const wide = { a: 'x'.repeat(1023) }
    expect(decodeEnvelope(bodyWith({ headers: wide })).headers).toEqual(wide)
    const bad = [
      null,
      [],
      'a',
      { A: 'b' },
      { '': 'b' },
      { a: 1 },
      { a: 'é' },
      { a: '\n' },
      { a: 'x'.repeat(1024) },
    ]
    for (const headers of [...bad, { ['n'.repeat(65)]: 'b' }, { ['__proto__']: 'b' }]) {
      const body = bodyWith({ headers })
      if (headers === null || JSON.stringify(headers) !== '{}')
        expect(refusal(body).message).toContain('`headers`')
    }
    expect(refusal(bodyWith({}).replace('"v":1', '"v":1,"headers":{"__proto__":"b"}')).message).toContain(
      '`headers`',
    )
  })

  test('says its version first, for those who look at a queue', () => {
    expect(encodeEnvelope(envelope, 'null')).toMatch(
      /^{"v":1,"id":"019b76da-a800-7467-b9c1-000000000001","task":/,
    )
  })

  test.each(['a', '1a2b3c4d5e6f', `!${'~'.repeat(63)}`])('may name the code version %s', (version) => {
    const sent = { ...full, version }
    expect(decodeEnvelope(encodeEnvelope(sent, JSON.stringify(args)))).toEqual({ ...sent, args })
  })

  test.each([
    ['a newer one', '{"v":2,"id":"x"}', true],
    ['one of a far future, of another form', '{"v":9,"id":"x","y":[]}', true],
    ['one of today', '{"v":1,"id":"x"}', false],
    ['one of no version', '{"id":"x"}', false],
    ['one of no call', '{"v":9}', false],
    ['one of an empty id', '{"v":9,"id":""}', false],
    ['one whose id is a number', '{"v":9,"id":1}', false],
    ['one that says so in words', '{"v":"2","id":"x"}', false],
    ['half a version', '{"v":2.5,"id":"x"}', false],
    ['an inherited version', '{"__proto__":{"v":2},"id":"x"}', false],
    ['null', 'null', false],
    ['no JSON', '{"v":2,"id":"x"', false],
  ])('%s is of a newer version or not', (_, body, isNewer) => {
    expect(isOfNewerVersion(body)).toBe(isNewer)
  })

  test('of a field that this version does not know is read: a newer one may add some', () => {
    expect(decodeEnvelope(bodyWith({ priority: 5 }))).toMatchObject({ ...full })
  })
})

describe('refused as no envelope', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['0 bytes', '', 'its body is not JSON'],
    ['a space', ' ', 'its body is not JSON'],
    ['no JSON', 'hello', 'its body is not JSON'],
    ['truncated', bodyWith({}).slice(0, -3), 'its body is not JSON'],
    ['a byte order mark', `\ufeff${bodyWith({})}`, 'its body is not JSON'],
    ['null', 'null', 'its body is object'],
    ['a number', '5', 'its body is number'],
    ['a text', '"x"', 'its body is string'],
    ['a list', '[]', 'its body is an array'],
    ['an empty object', '{}', 'its version is missing, this worker reads 1'],
    ['no version', bodyWith({ v: undefined }), 'its version is missing'],
    ['a newer version', bodyWith({ v: 2 }), 'its version is 2, this worker reads 1; deploy the workers'],
    ['a version as text', bodyWith({ v: '1' }), 'its version is "1"'],
    ['an SNS notification', '{"Type":"Notification","Message":"x"}', 'its version is missing'],
    ['no id', bodyWith({ id: undefined }), '`id` is missing'],
    ['an empty id', bodyWith({ id: '' }), '`id` is no name'],
    ['an id of a megabyte', bodyWith({ id: 'x'.repeat(1_000_000) }), '`id` is no name'],
    ['an id that is a list', bodyWith({ id: ['x'] }), '`id` is no name'],
    ['a task that is null', bodyWith({ task: null }), '`task` is no name'],
    ['a task of 257 characters', bodyWith({ task: 'x'.repeat(257) }), '`task` is no name'],
    ['a queue that is a number', bodyWith({ queue: 5 }), '`queue` is no name'],
    ['no payload hash', bodyWith({ payloadHash: undefined }), '`payloadHash` is missing'],
    ['a tenant that is an object', bodyWith({ tenant: {} }), '`tenant` is no name'],
    ['a parent that is false', bodyWith({ parent: false }), '`parent` is no name'],
    ['a time that is a text', bodyWith({ dueAt: '2026-01-01' }), '`dueAt` is no time'],
    ['a time before 1970', bodyWith({ createdAt: -1 }), '`createdAt` is no time'],
    ['half a millisecond', bodyWith({ createdAt: 0.5 }), '`createdAt` is no time'],
    [
      'a time that no date has',
      `${bodyWith({}).replace(/"dueAt":\d+/, '"dueAt":9007199254740991')}`,
      '`dueAt` is no time',
    ],
    ['a time out of all bounds', bodyWith({}).replace(/"dueAt":\d+/, '"dueAt":1e999'), '`dueAt` is no time'],
    ['a depth that is a text', bodyWith({ depth: '3' }), '`depth` is no number'],
    ['a depth below 0', bodyWith({ depth: -1 }), '`depth` is no number'],
    ['an empty code version', bodyWith({ version: '' }), '`version` is no code version'],
    [
      'a code version of 65 characters',
      bodyWith({ version: 'x'.repeat(65) }),
      '`version` is no code version',
    ],
    ['a code version with a space', bodyWith({ version: 'a b' }), '`version` is no code version'],
    ['a code version that is a number', bodyWith({ version: 2 }), '`version` is no code version'],
    ['no arguments', bodyWith({ args: undefined }), 'it has no `args`'],
    ['over a megabyte', bodyWith({ args: { json: ['x'.repeat(1_048_577)] } }), 'its body has'],
  ]
  test.each(rows)('%s', (_, body, part) => {
    const error = refusal(body)
    expect(MalformedMessageError.is(error)).toBe(true)
    expect(error.message).toContain(`a message is not an errand envelope: ${part}`)
    expect(error.message).toContain('Send through an executor or a client of this app')
  })

  test('and the message of it stays short, whatever the body', () => {
    for (const field of ['v', 'id', 'task', 'tenant', 'dueAt']) {
      expect(refusal(bodyWith({ [field]: ['x'.repeat(100_000)] })).message.length, field).toBeLessThan(500)
    }
  })

  test('a body that is no text, as a forged event may have', () => {
    for (const body of [undefined, null, 5, {}])
      expect(() => decodeEnvelope(body as unknown as string)).toThrow()
  })

  test('where a field is only inherited: no prototype is read or changed', () => {
    const inherited = `{"__proto__":${bodyWith({})},"v":1}`
    expect(MalformedMessageError.is(refusal(inherited))).toBe(true)
    expect(Object.hasOwn(Object.prototype, 'task')).toBe(false)
  })

  test('or anything else that a fuzzer makes of one', () => {
    const body = bodyWith({})
    fc.assert(
      fc.property(fc.nat(body.length), fc.nat(5), fc.string({ maxLength: 3 }), (at, cut, text) => {
        const changed = body.slice(0, at) + text + body.slice(at + cut)
        try {
          decodeEnvelope(changed)
        } catch (error) {
          expect(MalformedMessageError.is(error)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
