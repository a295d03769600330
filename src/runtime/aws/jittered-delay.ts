/**
 * The wait before a request is made again for what a batch left undone; the SDK itself repeats whole requests only.
 * @module
 */
import { type Clock, delay } from '../clock.ts'
import type { Entropy } from '../entropy.ts'

const BASE_DELAY_MS = 50
const MAX_DELAY_MS = 2000

/** Resolves after a random part of a delay that doubles with each try: 50, 100, 200 … up to 2000 ms. */
export function jitteredDelay(clock: Clock, entropy: Entropy, tries: number): Promise<void> {
  return delay(clock, entropy.fraction() * Math.min(BASE_DELAY_MS * 2 ** (tries - 1), MAX_DELAY_MS))
}
