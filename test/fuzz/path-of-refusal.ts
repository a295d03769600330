/**
 * Follows the path of a refusal, as a developer who reads it would: `result.users[3].get("k").values()[0]`.
 * @module
 */

/** Where a path leads: the value there, and what holds it. */
export interface Place {
  readonly holder: unknown
  /** `undefined` where reading it throws. */
  readonly value: unknown
}

const steps =
  /\.keys\(\)\[(\d+)\]|\.values\(\)\[(\d+)\]|\.get\(keys\(\)\[(\d+)\]\)|\.get\(("(?:[^"\\]|\\.)*")\)|\.get\(([^()"]*)\)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.([\p{ID_Start}$_][\p{ID_Continue}$]*)/uy

/**
 * The places that `path` names in `root`: one, or several where a Map's keys are written alike (1 and 1n); none where
 * it is no path, or leads nowhere.
 */
export function placesOf(path: string, root: unknown): readonly Place[] {
  let places: Place[] = [{ holder: undefined, value: root }]
  steps.lastIndex = path.match(/^[a-z]+/)?.[0].length ?? 0
  while (steps.lastIndex < path.length) {
    const step = steps.exec(path)
    if (step === null) return []
    places = places.flatMap(({ value }) => (isObject(value) ? follow(value, step) : []))
  }
  return places
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function follow(holder: object, step: RegExpExecArray): Place[] {
  const [, key, member, keyOfItem, text, shown, quoted, index, name] = step
  const at = (value: unknown): Place[] => [{ holder, value }]
  if (key !== undefined) return at([...(holder as Map<unknown, unknown>).keys()][Number(key)])
  if (member !== undefined) return at([...(holder as Set<unknown>)][Number(member)])
  if (keyOfItem !== undefined) return at([...(holder as Map<unknown, unknown>).values()][Number(keyOfItem)])
  if (text !== undefined) return at((holder as Map<unknown, unknown>).get(JSON.parse(text)))
  if (shown !== undefined) {
    const entries = [...(holder as Map<unknown, unknown>)]
    return entries.flatMap(([known, value]) => (isShownAs(known, shown) ? at(value) : []))
  }
  const property = quoted === undefined ? (index ?? name ?? '') : (JSON.parse(`"${quoted}"`) as string)
  return at(read(holder, property))
}

function isShownAs(key: unknown, shown: string): boolean {
  return typeof key !== 'string' && !isObject(key) && typeof key !== 'function' && String(key) === shown
}

function read(holder: object, property: string): unknown {
  try {
    return Reflect.get(holder, property)
  } catch {
    return undefined
  }
}
