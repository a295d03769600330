import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { longestMatch } from '../../src/runtime/config/name-pattern.ts'

describe('longestMatch', () => {
  const rows: [string[], string, string | undefined][] = [
    [['reports.*'], 'reports.build', 'reports.*'],
    [['reports.*'], 'reports.', 'reports.*'],
    [['reports.*'], 'reports', undefined],
    [['reports.*'], 'other.reports.build', undefined],
    [['*', 'reports.*'], 'reports.build', 'reports.*'],
    [['reports.*', '*'], 'reports.build', 'reports.*'],
    [['*', 'reports.*', 'reports.build'], 'reports.build', 'reports.build'],
    [['a*', 'add'], 'add', 'add'],
    [['reports.*.daily'], 'reports.eu.daily', 'reports.*.daily'],
    [['*.mail'], 'a.b.mail', '*.mail'],
    [['a*a'], 'a', undefined],
    [['a*a'], 'aa', 'a*a'],
    [['ab*ba'], 'aba', undefined],
    [['**'], '', '**'],
    [['build'], 'Build', undefined],
    [[], 'x', undefined],
  ]
  test.each(rows)('%j finds for %s the pattern %s', (patterns, name, expected) => {
    const byPattern = Object.fromEntries(patterns.map((pattern) => [pattern, pattern]))
    expect(longestMatch(byPattern, name)).toBe(expected)
  })

  test.each(['constructor', '__proto__', 'toString'])('finds nothing inherited under %s', (name) => {
    expect(longestMatch({}, name)).toBeUndefined()
  })

  test('matches as the regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
    const names = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
    fc.assert(
      fc.property(text, names, (pattern, name) => {
        const source = pattern.split('*').map((part) => part.replaceAll('.', '\\.'))
        const expected = new RegExp(`^${source.join('.*')}$`).test(name)
        expect(longestMatch({ [pattern]: true }, name) === true).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('takes no longer for a pattern that would make a regular expression backtrack', () => {
    const pattern = `${'*a'.repeat(60)}*b`
    expect(longestMatch({ [pattern]: 1 }, 'a'.repeat(128))).toBeUndefined()
  })
})
