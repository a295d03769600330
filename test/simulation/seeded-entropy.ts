/**
 * The runtime's randomness, from the seed.
 * @module
 */
import type { Entropy } from '../../src/runtime/entropy.ts'
import { chanceOf } from './seeded-chance.ts'

/** Ids, owners and jitter of one process. */
export function seededEntropy(seed: number, process: string): Entropy {
  const chance = chanceOf(seed, `entropy of ${process}`)
  const digits = (count: number) => {
    let text = ''
    while (text.length < count) text += chance.whole(0x1000000, 0xfffffff).toString(16)
    return text.slice(0, count)
  }
  return {
    id(nowMs) {
      const time = Math.floor(nowMs).toString(16).padStart(12, '0')
      return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-8${digits(3)}-${digits(12)}`
    },
    owner: () => digits(16),
    fraction: chance.fraction,
  }
}
