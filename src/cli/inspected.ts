/**
 * What `errand inspect` can be asked for.
 * @module
 */

/** What `inspect` shows. */
export const inspected = [
  'active',
  'scheduled',
  'reserved',
  'revoked',
  'registered',
  'stats',
  'queues',
  'calls',
  'schedules',
] as const
