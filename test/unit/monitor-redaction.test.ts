import { describe, expect, test } from 'vitest'
import { resolveMonitorOptions } from '../../src/monitor/monitor-options.ts'
import { createRedactor } from '../../src/monitor/redaction.ts'
import { valueText } from '../../src/monitor/shown-text.ts'

// What is hidden in texts that nobody took apart: messages of errors, stacks, strings among values.

const redactor = createRedactor(
  resolveMonitorOptions({
    authorize: () => false,
    redact: { keys: ['salary', 'cardHolder'], tasks: { 'auth.*': [0, 'nickname'] } },
  }),
)

describe('a text shows nothing of what follows', () => {
  test.each([
    ...['otp: S3CRET', 'cvv=S3CRET', 'iban = S3CRET', 'user_ssn=S3CRET', 'pin code: S3CRET'],
    ...['sessionId=S3CRET', 'card number: S3CRET', 'card_number: "S3CRET S3CRET"', 'X-Amz-Signature=S3CRET'],
    ...['clientSecretValue=S3CRET', '"passwordHash": "S3CRET"', "Map(1) { 'refresh-token' => 'S3CRET' }"],
    ...[
      'Cookie: a=S3CRET; sid=S3CRET',
      'set-cookie: sid=S3CRET; Path=/; HttpOnly',
      'cookie="S3CRET; b=S3CRET"',
    ],
    ...[
      'Authorization: Token S3CRET S3CRET',
      'authorization: AWS4-HMAC-SHA256 Credential=S3CRET, Signature=S3CRET',
    ],
    ...[
      'connect postgres://ada:S3CRET@db.test:5432/shop',
      'redis://:S3CRET@cache.test',
      'https://ada:S3CRET@x.test/',
    ],
    ...[
      '{\\"password\\":\\"S3CRET S3CRET\\"}',
      'password="a\\"S3CRET S3CRET"',
      'password="S3CRET that was cu',
    ],
    ...[
      "token: 'S3CRET S3CRET'",
      'salary=S3CRET',
      '{"salary": "S3CRET"}',
      'card holder: S3CRET',
      'token: Bearer S3CRET',
    ],
  ])('%s', (text) => {
    const shown = redactor.text('add', `${text}\nPLAIN`)
    expect(shown).not.toContain('S3CRET')
    expect(shown).toContain('[redacted]')
    expect(redactor.value('add', [text])).not.toMatchObject([expect.stringContaining('S3CRET')])
  })

  test('names of the task’s own, in its texts alone', () => {
    expect(redactor.text('auth.login', 'nickname: bob')).toBe('nickname: [redacted]')
    expect(redactor.text('add', 'nickname: bob')).toBe('nickname: bob')
  })
})

test.each([
  ...['a token was refused', 'class name: Foo', 'laptop: 7', 'process name: x'],
  ...['see https://x.test:8080/a@b', 'mail ada@x.test: refused', 'it costs 3: "nothing"'],
])('a text stays as it is: %s', (text) => {
  expect(redactor.text('add', text)).toBe(text)
})

test('what stands behind the hidden value stays', () => {
  expect(redactor.text('add', 'password=a, user=b; token: "c d" e')).toBe(
    'password=[redacted], user=b; token: [redacted] e',
  )
  expect(redactor.text('add', 'authorization: Token a b\nPLAIN')).toBe('authorization: [redacted]\nPLAIN')
})

test('addresses are hidden as texts are', () => {
  const shown = valueText(
    redactor.value('add', [
      new URL('https://a:S3CRET@x.test/?token=S3CRET'),
      new URLSearchParams('token=S3CRET'),
    ]),
  )
  expect(shown).not.toContain('S3CRET')
  expect(shown).toContain('x.test')
})
