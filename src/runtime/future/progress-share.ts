/**
 * The part that is done, where a task's progress says so.
 * @module
 */

/**
 * From 0 to 1: of a number in that range, and of `{ done, total }` or `{ current, total }`, also where it is the `meta` of
 * a state word (`updateState`). Anything else says nothing: `undefined`.
 */
export function shareOf(progress: unknown): number | undefined {
  const said = typeof own(progress, 'state') === 'string' ? own(progress, 'meta') : progress
  if (typeof said === 'number') return said >= 0 && said <= 1 ? said : undefined
  const [done, total] = [own(said, 'done') ?? own(said, 'current'), own(said, 'total')]
  if (typeof done !== 'number' || typeof total !== 'number' || !(total > 0)) return undefined
  const share = done / total
  return Number.isNaN(share) ? undefined : Math.min(Math.max(share, 0), 1)
}

function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined
}
