import * as errand from 'errand'
import { ErrandError, InvalidOptionError, RetryAfterError, WaitTimeoutError } from 'errand'
import { describe, expect, test } from 'vitest'
import * as errors from '../../src/runtime/errors.ts'

type Class = typeof ErrandError & (new (message: string, second?: unknown) => ErrandError)

const classes = Object.entries(errors) as unknown as readonly (readonly [string, Class])[]
const make = (kind: Class) =>
  kind.code === 'retry-after'
    ? new RetryAfterError(5)
    : new kind('text', kind.code === 'invalid-input' ? [] : 'x')

describe.each(classes)('%s', (name, kind) => {
  test('is an error with a name and a code of its own', () => {
    const error = make(kind)
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(ErrandError)
    expect(error.name).toBe(name)
    expect(error.code).toBe(kind.code)
    expect(`${error}`).toMatch(new RegExp(`^${name}: `))
    expect(classes.filter(([, other]) => other.code === kind.code)).toHaveLength(1)
  })

  test('is known by `is`, and others are not', () => {
    const error = make(kind)
    expect(kind.is(error)).toBe(true)
    expect(ErrandError.is(error)).toBe(true)
    for (const [, other] of classes) {
      if (other !== kind && other !== (ErrandError as unknown)) expect(other.is(error)).toBe(false)
    }
  })

  test('is exported', () => {
    expect((errand as Record<string, unknown>)[name]).toBe(kind)
  })
})

describe('is', () => {
  test.each([undefined, null, 5, 'wait-timeout', {}, new Error('x'), { code: 'wait-timeout' }])(
    'does not take %s for one',
    (value) => {
      expect(WaitTimeoutError.is(value)).toBe(false)
      expect(ErrandError.is(value)).toBe(false)
    },
  )

  test('knows an error of another copy of errand', () => {
    const twin = Object.assign(new Error('x'), { code: 'wait-timeout' })
    Object.defineProperty(twin, Symbol.for('errand.error'), { value: true })
    expect(WaitTimeoutError.is(twin)).toBe(true)
    expect(InvalidOptionError.is(twin)).toBe(false)
  })

  test('knows a class that a user derives', () => {
    class MyTimeout extends WaitTimeoutError {}
    expect(WaitTimeoutError.is(new MyTimeout('x'))).toBe(true)
    expect(new MyTimeout('x').name).toBe('WaitTimeoutError')
  })

  test('does not trip over a revoked proxy or a getter that throws', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(() => ErrandError.is(proxy)).not.toThrow()
  })
})

test('the cause is kept', () => {
  const cause = new TypeError('inner')
  expect(new InvalidOptionError('outer', { cause }).cause).toBe(cause)
})

test('RetryAfterError says how long', () => {
  expect(new RetryAfterError(5)).toMatchObject({ delaySeconds: 5, message: 'try again in 5 s' })
  expect(new RetryAfterError(5, 'busy')).toMatchObject({ delaySeconds: 5, message: 'busy' })
})
