/**
 * Chance from a seed: the same seed gives the same ids, owners, jitter and faults, so that a run can be repeated.
 * @module
 */
import type { Entropy } from '../runtime/entropy.ts'

/** Numbers from 0 up to but not including 1, from a seed: splitmix32. For tests, never for secrets. */
export function seededFractions(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let bits = state
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The entropy of a seed. Two of one seed give the same ids: for backends apart from each other only. */
export function seededEntropy(seed: number): Entropy {
  const fraction = seededFractions(seed)
  const hex = (digits: number) => {
    let text = ''
    while (text.length < digits) text += Math.floor(fraction() * 16).toString(16)
    return text
  }
  return {
    // A UUIDv7: the time, the version, random digits, the variant.
    id(nowMs) {
      const time = Math.max(0, Math.floor(nowMs)).toString(16).padStart(12, '0')
      const variant = '89ab'[Math.floor(fraction() * 4)]
      return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${variant}${hex(3)}-${hex(12)}`
    },
    owner: () => hex(24),
    fraction,
  }
}
