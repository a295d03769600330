/**
 * Randomness, passed in: ids, owners and jitter, so that a simulation can replay a run from its seed.
 * @module
 */
import { hash, randomBytes } from 'node:crypto'
import { v7 } from 'uuid'
import { LIMITS } from './config/config.ts'

/** Where randomness comes from. */
export interface Entropy {
  /** A new call id: a UUIDv7 of `nowMs`, so that ids sort by time and tell their age. */
  id(nowMs: number): string
  /** A fresh owner: the fencing token of one claim. */
  owner(): string
  /** A number from 0 up to but not including 1, for jitter. */
  fraction(): number
}

const OWNER_BYTES = 12
const ID_BYTES = 16
// One system call for 4 KiB of random bytes, instead of one for each id and owner.
let pool = Buffer.alloc(0)
let used = 0
/** Reused for every id: a view of the pool each took as long as the id itself. */
const idBytes = new Uint8Array(ID_BYTES)

/** Where so many fresh bytes begin in the pool. */
function takeBytes(count: number): number {
  if (used + count > pool.length) {
    pool = randomBytes(4096)
    used = 0
  }
  used += count
  return used - count
}

function rng(): Uint8Array {
  const from = takeBytes(ID_BYTES)
  for (let index = 0; index < ID_BYTES; index++) idBytes[index] = pool[from + index] as number
  return idBytes
}

function owner(): string {
  const from = takeBytes(OWNER_BYTES)
  return pool.toString('base64url', from, from + OWNER_BYTES)
}

/** The system's own randomness: 96 bits an owner, 74 an id. */
export const systemEntropy: Entropy = {
  id: (nowMs) => v7({ msecs: nowMs, rng }),
  owner,
  fraction: () => Math.random(),
}

/**
 * The id of a call with an idempotency key: a hash of tenant, task and key, so that the record itself is the
 * de-duplication record and every sender comes to the same one.
 */
export function idOfKey(tenant: string | undefined, task: string, key: string): string {
  return `key-${hash('sha256', JSON.stringify([tenant ?? null, task, key]), 'base64url').slice(0, 32)}`
}

/** The id of the call at `index` of a group. */
export function idInGroup(groupId: string, index: number): string {
  return `${groupId}-${index}`
}

/** A new group's id. It carries its size, so that any process can name the group's calls without a read. */
export function newGroupId(entropy: Entropy, nowMs: number, size: number): string {
  return `${entropy.id(nowMs)}-of-${size}`
}

const groupForm = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}-of-(0|[1-9]\d{0,6})$/

/** How many calls the group of this id has, or `undefined` where the text is not a group's id. */
export function sizeOfGroup(groupId: string): number | undefined {
  const size = groupForm.exec(groupId)?.[1]
  return size === undefined || Number(size) > LIMITS.groupSize ? undefined : Number(size)
}

const idForm = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(-of-\d{1,7}-\d{1,7})?$/

/** When an id was made, in epoch milliseconds, or `undefined` where it does not begin with a UUIDv7. */
export function timeOfId(id: string): number | undefined {
  if (!idForm.test(id)) return undefined
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
