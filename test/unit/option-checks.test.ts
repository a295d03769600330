import { describe, expect, test } from 'vitest'
import { quoteNames, showValue, suggestName } from '../../src/runtime/config/nearest-name.ts'
import {
  checkFlag,
  checkKeys,
  checkName,
  checkNumber,
  checkWord,
} from '../../src/runtime/config/option-checks.ts'
import { InvalidOptionError } from '../../src/runtime/errors.ts'

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (InvalidOptionError.is(error)) return error.message
    throw error
  }
  throw new Error('it was not refused')
}

describe('checkNumber', () => {
  const rule = { min: 0, max: 900, why: "SQS's limit" }
  test.each([0, 0.5, 900])('takes %d', (value) => {
    expect(checkNumber('`x`', value, rule, undefined)).toBe(value)
  })

  test('gives the fallback where there is none', () => {
    expect(checkNumber('`x`', undefined, rule, 'fallback')).toBe('fallback')
  })

  const refused: [unknown, string][] = [
    [-1, '-1'],
    [900.1, '900.1'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    ['5', '"5"'],
    ['', '""'],
    [null, 'null'],
    [5n, '5'],
    [true, 'true'],
    [{}, 'an object'],
    [[5], 'an array of 1'],
    [() => 5, 'the function (without a name)'],
    [Symbol('5'), 'a symbol'],
  ]
  test.each(refused)('refuses %s', (value, shown) => {
    const message = messageOf(() => checkNumber('`x`', value, rule, undefined))
    expect(message).toBe(`\`x\` is ${shown}, expected a number from 0 to 900 (SQS's limit)`)
  })

  test('refuses a fraction where it wants whole numbers', () => {
    const message = messageOf(() => checkNumber('`x`', 1.5, { min: 1, max: 2, whole: true }, 1))
    expect(message).toBe('`x` is 1.5, expected a whole number from 1 to 2')
  })
})

describe('checkKeys', () => {
  test('names the nearest known option', () => {
    const message = messageOf(() => checkKeys('the options', { delaySecond: 1 }, ['delaySeconds', 'tenant']))
    expect(message).toBe(
      'the options has an unknown option `delaySecond`; did you mean "delaySeconds"? known: "delaySeconds", "tenant"',
    )
  })

  test.each(['constructor', 'toString', 'hasOwnProperty'])('does not take %s for a known option', (key) => {
    expect(messageOf(() => checkKeys('x', { [key]: 1 }, ['tenant']))).toContain(`\`${key}\``)
  })

  test('sees an own __proto__', () => {
    const options: unknown = JSON.parse('{"__proto__": 1}')
    expect(messageOf(() => checkKeys('x', options, ['tenant']))).toContain('`__proto__`')
  })

  test.each([null, undefined, 5, 'x', [], () => 1])('refuses %s for options', (value) => {
    expect(messageOf(() => checkKeys('x', value, ['tenant']))).toContain('expected an object with options')
  })
})

describe('checkWord, checkFlag, checkName', () => {
  test('take what they know', () => {
    expect(checkWord('x', undefined, ['a', 'b'], 'b')).toBe('b')
    expect(checkWord('x', 'a', ['a', 'b'], 'b')).toBe('a')
    expect(checkFlag('x', undefined, true)).toBe(true)
    expect(checkFlag('x', false, true)).toBe(false)
    expect(checkName('x', 'abc', /^[a-z]+$/, 'letters')).toBe('abc')
  })

  test('refuse the rest', () => {
    expect(messageOf(() => checkWord('x', 'wurn', ['warn', 'info'], 'info'))).toContain(
      'did you mean "warn"?',
    )
    expect(messageOf(() => checkFlag('x', 0, true))).toBe('x is 0, expected true or false')
    expect(messageOf(() => checkName('x', 5, /^5$/, 'letters'))).toBe('x is 5, expected letters')
    expect(messageOf(() => checkName('x', 'constructor', /^[a-z]+$/, 'letters'))).toContain('"constructor"')
  })
})

describe('what a refusal shows', () => {
  test('a long text is cut', () => {
    expect(showValue('x'.repeat(1000)).length).toBeLessThan(70)
  })

  test('an object shows nothing of its content, and runs nothing of it', () => {
    const trap = new Proxy({ secret: 1 }, { get: () => expect.unreachable() })
    expect(showValue(trap)).toBe('an object')
  })

  test('names are suggested only where one is near', () => {
    expect(suggestName('hgih', ['high', 'low'])).toBe('did you mean "high"? known: "high", "low"')
    expect(suggestName('somewhere', ['high', 'low'])).toBe('known: "high", "low"')
    expect(suggestName('x', [])).toBe('none is known')
  })

  test('a name of a megabyte costs no more than one of 128 characters', () => {
    expect(suggestName('x'.repeat(1_000_000), ['high'])).toBe('known: "high"')
  })

  test('no more than ten names are listed', () => {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`)
    expect(quoteNames(names)).toMatch(/"n9" and 2 more$/)
  })
})
