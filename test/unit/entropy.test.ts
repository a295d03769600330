import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  idInGroup,
  idOfKey,
  newGroupId,
  sizeOfGroup,
  systemEntropy,
  timeOfId,
} from '../../src/runtime/entropy.ts'

const NOW = Date.UTC(2026, 0, 1, 12)

describe('ids', () => {
  test('are UUIDv7, sort by time and tell it', () => {
    const [first, second] = [systemEntropy.id(NOW), systemEntropy.id(NOW + 1)]
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(first < second).toBe(true)
    expect([timeOfId(first), timeOfId(second)]).toEqual([NOW, NOW + 1])
  })

  test.each(['', 'key-abc', 'x', '00000000-0000-4000-8000-000000000000'])('%j tells no time', (id) => {
    expect(timeOfId(id)).toBeUndefined()
  })

  test('and owners do not repeat, over a pool’s end too', () => {
    expect(new Set(Array.from({ length: 2000 }, () => systemEntropy.owner())).size).toBe(2000)
    expect(new Set(Array.from({ length: 2000 }, () => systemEntropy.id(NOW))).size).toBe(2000)
    expect(systemEntropy.owner()).toMatch(/^[\w-]{16}$/)
  })
})

describe('the id of a key', () => {
  test('is the same in every process, and of a form that any store takes', () => {
    expect(idOfKey('acme', 'add', 'k')).toBe(idOfKey('acme', 'add', 'k'))
    expect(idOfKey(undefined, 'add', '\ud800 😀\n'.repeat(60))).toMatch(/^key-[\w-]{32}$/)
  })

  test('tells apart what only joins to the same text', () => {
    const part = fc.string({ maxLength: 5 })
    const parts = fc.tuple(fc.option(part, { nil: undefined }), part, part)
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        expect(idOfKey(...one) === idOfKey(...other)).toBe(same)
      }),
    )
    expect(idOfKey('a', 'b', 'c')).not.toBe(idOfKey(undefined, 'ab', 'c'))
  })
})

describe('the id of a group', () => {
  test.each([0, 1, 100, 1_000_000])('carries its size, %d', (size) => {
    const id = newGroupId(systemEntropy, NOW, size)
    expect(sizeOfGroup(id)).toBe(size)
    expect(timeOfId(idInGroup(id, 0))).toBe(NOW)
    expect(idInGroup(id, 999_999).length).toBeLessThanOrEqual(100)
  })

  const group = newGroupId(systemEntropy, NOW, 3)
  test.each([
    '',
    'x-of-3',
    group.slice(1),
    `${group}x`,
    group.replace(/3$/, '-3'),
    `${group}\n`,
    group.toUpperCase(),
  ])('%j is none', (id) => {
    expect(sizeOfGroup(id)).toBeUndefined()
  })

  test('of more calls than a group may have is none', () => {
    expect(sizeOfGroup(group.replace(/3$/, '9999999'))).toBeUndefined()
  })
})
