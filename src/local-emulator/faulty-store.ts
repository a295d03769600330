/**
 * A store whose requests can be lost, before or after they take effect, or throttled.
 * @module
 */
import type { FaultPlan } from './fault-plan.ts'
import { faultyRequest } from './faulty-request.ts'
import type { InProcessStore } from './in-process-store.ts'

/** Wraps a store. What this process alone can have, its watch and its peek, stays sound. */
export function faultyStore(store: InProcessStore, plan: FaultPlan): InProcessStore {
  return {
    ...store,
    read: (ids, options) => faultyRequest(plan, 'read', () => store.read(ids, options)),
    put: (record, when) => faultyRequest(plan, 'put', () => store.put(record, when)),
    update: (id, change) => faultyRequest(plan, 'update', () => store.update(id, change)),
    putResult: (id, owner, result, expiresAtSeconds) =>
      faultyRequest(plan, 'putResult', () => store.putResult(id, owner, result, expiresAtSeconds)),
    readResult: (id, owner) => faultyRequest(plan, 'readResult', () => store.readResult(id, owner)),
    putMessage: (id, body, expiresAtSeconds) =>
      faultyRequest(plan, 'putMessage', () => store.putMessage(id, body, expiresAtSeconds)),
    readMessage: (id) => faultyRequest(plan, 'readMessage', () => store.readMessage(id)),
  }
}
