/**
 * Names and patterns of tasks: `reports.build`, `reports.*`, `*`.
 * @module
 */

/**
 * The value of the longest pattern that matches `name`, so that the order of declaration does not matter and an
 * exact name wins over any pattern. `*` stands for any number of characters.
 */
export function longestMatch<Value>(
  byPattern: Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  if (Object.hasOwn(byPattern, name)) return byPattern[name]
  let best: string | undefined
  for (const pattern of Object.keys(byPattern)) {
    if (pattern.includes('*') && pattern.length > (best?.length ?? -1) && matches(pattern, name))
      best = pattern
  }
  return best === undefined ? undefined : byPattern[best]
}

/** Matches without a regular expression: a pattern such as `*a*a*a*b` must not backtrack. */
function matches(pattern: string, name: string): boolean {
  const [head = '', ...parts] = pattern.split('*')
  const tail = parts.pop() ?? ''
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false
  let from = head.length
  for (const part of parts) {
    const at = name.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return from <= name.length - tail.length
}
