/**
 * The one way to a call by its id: found, and shown to `authorize`. What is absent, malformed, of nobody yet, or not
 * for this caller is answered alike; an absent one costs one read more, since absence is believed only of a
 * consistent read.
 * @module
 */
import type { Context, Env } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { sizeOfGroup } from '../runtime/entropy.ts'
import type { Future, Snapshot } from '../runtime/future/future.ts'
import type { FutureGroup } from '../runtime/future/future-group.ts'
import { notFound } from './refusals.ts'
import type { CallSource, RequestedCall, RouteSettings } from './route-options.ts'

/** A call that this caller may see. */
export interface OpenedCall {
  readonly future: Future<unknown>
  readonly snapshot: Snapshot
  readonly call: RequestedCall
}

/** A group that this caller may see. */
export interface OpenedGroup {
  readonly group: FutureGroup<unknown>
  readonly snapshots: readonly Snapshot[]
  readonly action: RequestedCall['action']
}

/** Opens calls and groups for a request. */
export interface Gate {
  /** @throws HTTPException 404, what reading throws */
  call(c: Context, action: RequestedCall['action']): Promise<OpenedCall>
  /** @throws HTTPException 404; 400 where the group is larger than these routes answer for; what reading throws */
  group(c: Context, action: RequestedCall['action']): Promise<OpenedGroup>
}

/** The ids that errand makes, and those that `with({ id })` takes, with the ending of a follow-up. */
const idForm = /^[A-Za-z0-9_:-]{1,160}$/

/** Makes the gate of some routes. */
export function createGate<E extends Env>(source: CallSource, settings: RouteSettings<E>): Gate {
  return {
    async call(c, action) {
      const future = source.future(idOf(c))
      const snapshot = await future.snapshot()
      const call = requestOf(snapshot, snapshot.id, action)
      await check(settings, call, c)
      return { future, snapshot, call }
    },
    async group(c, action) {
      const id = idOf(c)
      const size = sizeOfGroup(id)
      if (size === undefined || size === 0) throw notFound()
      if (size > settings.maxGroupCalls) throw tooManyCalls(size, settings.maxGroupCalls)
      const group = source.group(id)
      // An id says how many calls there are, and anybody can make one up: one call is read before all of them are.
      const owner = await firstOf(group).snapshot()
      await check(settings, requestOf(owner, id, action), c)
      const found = await group.snapshots()
      const snapshots = found.filter((snapshot) => snapshot !== undefined)
      if (snapshots.length < size || !isOneOwners(snapshots, owner)) throw notFound()
      return { group, snapshots, action }
    },
  }
}

function idOf(c: Context): string {
  const id = c.req.param('id') ?? ''
  if (!idForm.test(id)) throw notFound()
  return id
}

function tooManyCalls(size: number, limit: number): HTTPException {
  const message = `the group has ${size} calls, these routes answer for at most ${limit}; ask for its calls`
  return new HTTPException(400, { message })
}

function requestOf({ task, tenant }: Snapshot, id: string, action: RequestedCall['action']): RequestedCall {
  return { action, id, task, tenant }
}

function firstOf(group: FutureGroup<unknown>): Future<unknown> {
  for (const future of group) return future
  throw notFound()
}

/** A map submits one task for one tenant: what mixes them is somebody's forgery, and no group. */
function isOneOwners(snapshots: readonly Snapshot[], owner: Snapshot): boolean {
  return snapshots.every(({ task, tenant }) => task === owner.task && tenant === owner.tenant)
}

async function check<E extends Env>(
  { authorize }: RouteSettings<E>,
  call: RequestedCall,
  c: Context,
): Promise<void> {
  // With `record: 'on-claim'` a call that no worker has claimed has no record, and so is nobody's: any id of today
  // would pass for one.
  if (call.task === '') throw notFound()
  let answer: unknown
  try {
    answer = await authorize(call, c as unknown as Context<E>)
  } catch (error) {
    if (error instanceof HTTPException) throw notFound()
    throw error
  }
  if (answer !== true) throw notFound()
}
