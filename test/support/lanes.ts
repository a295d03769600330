/**
 * Much work, so much at a time.
 * @module
 */

/** Calls `run` with 0 to `count` − 1, so many at a time. */
export async function inLanes(
  count: number,
  lanes: number,
  run: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) await run(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
