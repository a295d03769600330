/**
 * How long tests wait for what only a busy machine delays.
 * @module
 */

/** Options of vitest's `waitFor`, `waitUntil` and `poll`: their own second is too short beside other tests. */
export const PATIENCE = { timeout: 120_000, interval: 50 } as const
