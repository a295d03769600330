/**
 * Shrinking: which few of a run's faults are enough to break the same rule.
 * @module
 */

/** Whether the rule is still broken where only these faults may happen. */
export type StillFails = (faults: ReadonlySet<string>) => Promise<boolean>

/** Splits a list into so many parts of about one size. */
function partsOf<T>(list: readonly T[], count: number): T[][] {
  const size = Math.ceil(list.length / count)
  const parts: T[][] = []
  for (let from = 0; from < list.length; from += size) parts.push(list.slice(from, from + size))
  return parts
}

/**
 * Delta debugging (Zeller's ddmin): leaves out parts, halves first and single faults last, as long as it still fails.
 * @param maxRuns gives up shrinking further after so many runs
 */
export async function shrinkFaults(
  faults: readonly string[],
  stillFails: StillFails,
  maxRuns = 400,
): Promise<readonly string[]> {
  let left = [...new Set(faults)]
  let runs = 1
  if (await stillFails(new Set())) return []
  for (let count = 2; left.length > 1 && count <= left.length; ) {
    let reduced: string[] | undefined
    for (const part of partsOf(left, count)) {
      if (runs++ >= maxRuns) return left
      const rest = left.filter((fault) => !part.includes(fault))
      if (await stillFails(new Set(rest))) {
        reduced = rest
        break
      }
    }
    if (reduced !== undefined) {
      left = reduced
      count = Math.max(count - 1, 2)
    } else if (count < left.length) count = Math.min(count * 2, left.length)
    else break
  }
  return left
}
