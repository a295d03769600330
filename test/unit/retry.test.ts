import {
  InvalidInputError,
  MalformedMessageError,
  NonRetryableError,
  ResultTooLargeError,
  RetryAfterError,
  UnsupportedValueError,
} from 'errand'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffSeconds, retryDelaySeconds } from '../../src/runtime/call/retry.ts'
import type { ResolvedTaskOptions } from '../../src/runtime/config/config.ts'

const options: ResolvedTaskOptions = {
  maxAttempts: 3,
  maxKills: 3,
  backoff: { baseSeconds: 10, factor: 2, maxSeconds: 3600 },
  keepArguments: false,
}

const entropyOf = (fraction: number) => ({ id: () => '', owner: () => '', fraction: () => fraction })
const NOW = Date.UTC(2026, 0, 1)
const almostOne = entropyOf(1 - 2 ** -32)

describe('retryDelaySeconds', () => {
  test('grows with the failures, up to the last one allowed', () => {
    const at = (failures: number) => retryDelaySeconds(options, failures, new Error('x'), almostOne, NOW)
    expect([at(1), at(2), at(3), at(4)]).toEqual([10, 20, undefined, undefined])
  })

  test.each([
    new NonRetryableError('x'),
    new InvalidInputError('x', []),
    new MalformedMessageError('x'),
    new UnsupportedValueError('x', 'result'),
    new ResultTooLargeError('x'),
  ])('gives up at once on $name', (error) => {
    expect(retryDelaySeconds(options, 1, error, almostOne, NOW)).toBeUndefined()
  })

  const asked: [unknown, number][] = [
    [0, 0],
    [7, 7],
    [7.4, 7],
    [-5, 0],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 31_536_000],
    [31_536_001, 31_536_000],
    [new Date(NOW + 7000), 7],
    [new Date(NOW + 7001), 8],
    [new Date(NOW - 7000), 0],
    [new Date(NOW + 366 * 86_400_000), 31_536_000],
    [new Date(Number.NaN), 0],
    ['soon', 0],
    [undefined, 0],
    [{}, 0],
  ]
  test.each(asked)('waits as RetryAfterError asks: %s', (when, expected) => {
    const error = new RetryAfterError(when as number)
    expect(retryDelaySeconds(options, 1, error, almostOne, NOW)).toBe(expected)
  })

  test('does not go on asking for ever', () => {
    expect(retryDelaySeconds(options, 3, new RetryAfterError(1), almostOne, NOW)).toBeUndefined()
  })

  test.each([undefined, null, 'text', Object.freeze(new Error('x')), { code: 'non-retryable' }])(
    'takes %s for any other error',
    (error) => {
      expect(retryDelaySeconds(options, 1, error, entropyOf(0.5), NOW)).toBe(5)
    },
  )

  test('is always a whole number of seconds that SQS takes', () => {
    const numbers = fc.double({ min: 0, max: 39_600, noNaN: true })
    fc.assert(
      fc.property(
        numbers,
        fc.double({ min: 1, max: 100, noNaN: true }),
        numbers,
        fc.nat(99),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (baseSeconds, factor, maxSeconds, failures, fraction) => {
          const backoff = { baseSeconds, factor, maxSeconds }
          const seconds = retryDelaySeconds(
            { ...options, maxAttempts: 101, backoff },
            failures + 1,
            new Error(),
            entropyOf(fraction),
            NOW,
          )
          expect(seconds).toSatisfy(
            (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 39_600,
          )
        },
      ),
    )
  })
})

test('full jitter spreads from nothing to the bound', () => {
  expect(backoffSeconds(options.backoff, 3, 0)).toBe(0)
  expect(backoffSeconds(options.backoff, 3, 0.5)).toBe(20)
  expect(backoffSeconds(options.backoff, 100, 1)).toBe(3600)
})
