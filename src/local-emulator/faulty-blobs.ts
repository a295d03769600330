/**
 * Blobs whose requests can be lost, before or after they take effect, or throttled.
 * @module
 */
import type { Blobs } from '../runtime/ports/blobs.ts'
import type { FaultPlan } from './fault-plan.ts'
import { faultyRequest } from './faulty-request.ts'

/** Wraps the blob port. */
export function faultyBlobs(blobs: Blobs, plan: FaultPlan): Blobs {
  return {
    put: (key, text, expiresAtSeconds) =>
      faultyRequest(plan, 'putBlob', () => blobs.put(key, text, expiresAtSeconds)),
    get: (key, maxBytes) => faultyRequest(plan, 'getBlob', () => blobs.get(key, maxBytes)),
  }
}
