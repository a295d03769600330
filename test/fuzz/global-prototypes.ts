/**
 * What every object inherits, and whether somebody changed it.
 * @module
 */

const watched: Readonly<Record<string, object>> = {
  ...Object.fromEntries(
    [
      ...[Object, Array, Function, String, Number, Boolean, BigInt, Symbol, Promise, Map, Set, WeakMap, Date],
      ...[
        RegExp,
        Error,
        TypeError,
        RangeError,
        AggregateError,
        ArrayBuffer,
        Uint8Array,
        DataView,
        Buffer,
        URL,
      ],
    ].flatMap((Global) => [
      [Global.name, Global],
      [`${Global.name}.prototype`, Global.prototype as object],
    ]),
  ),
  'TypedArray.prototype': Object.getPrototypeOf(Uint8Array.prototype) as object,
  'Iterator.prototype': Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object,
  JSON,
  Math,
  Reflect,
  globalThis,
}

type Snapshot = ReadonlyMap<string, PropertyDescriptor>

/** Every own property of the global constructors and prototypes, as it is now. */
export function snapshotOfGlobals(): Snapshot {
  const snapshot = new Map<string, PropertyDescriptor>()
  for (const [name, holder] of Object.entries(watched)) {
    for (const key of Reflect.ownKeys(holder)) {
      // Reading them again gives another object each time, or loads a module.
      if (holder === globalThis && !isBuiltIn(key)) continue
      snapshot.set(
        `${name}.${String(key)}`,
        Object.getOwnPropertyDescriptor(holder, key) as PropertyDescriptor,
      )
    }
  }
  return snapshot
}

function isBuiltIn(key: PropertyKey): boolean {
  return typeof key === 'string' && Object.hasOwn(watched, key)
}

/** The names of the properties that were added, removed or changed since. */
export function changedGlobals(before: Snapshot): readonly string[] {
  const now = snapshotOfGlobals()
  const names = new Set([...before.keys(), ...now.keys()])
  return [...names].filter((name) => !isSame(before.get(name), now.get(name)))
}

function isSame(a: PropertyDescriptor | undefined, b: PropertyDescriptor | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const fields = ['value', 'get', 'set', 'writable', 'enumerable', 'configurable'] as const
  return fields.every((field) => Object.is(a[field], b[field]))
}
