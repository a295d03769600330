/**
 * The blob port in this process.
 * @module
 */

import type { Clock } from '../runtime/clock.ts'
import { type Blobs, tooLargeToRead } from '../runtime/ports/blobs.ts'
import { sweeper } from './sweeper.ts'

interface KeptBlob {
  readonly key: string
  readonly text: string
  readonly expiresAtSeconds: number
}

/** The blob port, whose keys can be looked into. */
export interface InProcessBlobs extends Blobs {
  /** The keys of what is kept, in the order of first writing. */
  keys(): readonly string[]
}

/** Makes an empty blob store. */
export function inProcessBlobs({ clock }: { readonly clock: Clock }): InProcessBlobs {
  const kept = new Map<string, KeptBlob>()
  const sweep = sweeper(kept, ({ key }) => key)
  return {
    keys: () => [...kept.keys()],
    async put(key, text, expiresAtSeconds) {
      sweep(clock.now())
      kept.set(key, { key, text, expiresAtSeconds })
    },
    async get(key, maxBytes) {
      const blob = kept.get(key)
      if (blob === undefined || blob.expiresAtSeconds * 1000 <= clock.now()) return undefined
      if (Buffer.byteLength(blob.text) > maxBytes) throw tooLargeToRead(key, maxBytes)
      return blob.text
    },
  }
}
