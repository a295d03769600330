import { seededEntropy } from 'errand/local-emulator'
import { describe, expect, test } from 'vitest'
import { newGroupId, sizeOfGroup, timeOfId } from '../../src/runtime/entropy.ts'

const now = Date.UTC(2026, 9, 1)

describe('seededEntropy', () => {
  test('gives the same for the same seed, and something else for another', () => {
    const drawn = (seed: number) => {
      const entropy = seededEntropy(seed)
      return Array.from({ length: 20 }, () => [entropy.id(now), entropy.owner(), entropy.fraction()])
    }
    expect(drawn(7)).toEqual(drawn(7))
    expect(drawn(7)).not.toEqual(drawn(8))
    expect(new Set(drawn(7).flat()).size).toBe(60)
  })

  test('makes ids that are UUIDv7s of their time, and group ids', () => {
    const entropy = seededEntropy(1)
    const id = entropy.id(now)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(timeOfId(id)).toBe(now)
    expect(sizeOfGroup(newGroupId(entropy, now, 12))).toBe(12)
    expect(timeOfId(entropy.id(0))).toBe(0)
  })

  test.each([0, 1, 2, 2 ** 32 - 1])('spreads fractions evenly over 0 to 1, from seed %i', (seed) => {
    const { fraction } = seededEntropy(seed)
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let draw = 0; draw < 10_000; draw++) {
      const drawn = fraction()
      expect(drawn >= 0 && drawn < 1).toBe(true)
      tenths[Math.floor(drawn * 10)] = (tenths[Math.floor(drawn * 10)] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})
