/**
 * Makes the value of a recipe, and beside it the value that must come back.
 * @module
 */
import type { Entry, errorKinds, Recipe } from './recipe.ts'
import { changingName, makeRefused } from './refused-values.ts'

/** A class that the codec under test is given by this name. */
export class RegisteredError extends Error {
  override name = 'RegisteredError'
}

class UnregisteredError extends Error {
  override name = 'UnregisteredError'
}

/** A value and what is known of it. */
export interface Built {
  /** What is given to the codec. */
  readonly sent: unknown
  /** What must come back. */
  readonly expected: unknown
  /** The parts of `sent` for which it must be refused; none: it must come back. */
  readonly offenders: ReadonlySet<unknown>
  /** Whether it is nested deeper than may be sent. */
  readonly tooDeep: boolean
  /** Whether a part of it answers differently each time it is read. */
  readonly changes: boolean
}

/** Two values that belong together: the one that is sent, and the one that must come back. */
type Pair = readonly [sent: unknown, expected: unknown]

interface Building {
  readonly offenders: Set<unknown>
  /** The containers so far, in the order in which they were begun. */
  readonly containers: Pair[]
  /** How many containers are around what is made now. */
  depth: number
  tooDeep: boolean
  changes: boolean
}

/** Deeper than this a value is refused; the codec's own constant is not asked. */
const maxDepth = 500

/** Makes the value of a recipe. */
export function buildValue(recipe: Recipe): Built {
  const building: Building = {
    offenders: new Set(),
    containers: [],
    depth: 0,
    tooDeep: false,
    changes: false,
  }
  const [sent, expected] = make(building, recipe)
  const { offenders, tooDeep, changes } = building
  return { sent, expected, offenders, tooDeep, changes }
}

function make(building: Building, recipe: Recipe): Pair {
  if (recipe.is === 'primitive') return [recipe.value, recipe.value]
  if (recipe.is === 'again') {
    const { containers } = building
    return containers[recipe.which % containers.length] ?? [recipe.which, recipe.which]
  }
  if (recipe.is !== 'chain') goDown(building, recipe.is === 'views' ? 2 : 1)
  return makeObjectOf(building, recipe)
}

/** Notes how deep a value stands whose inside takes so many levels. */
function goDown(building: Building, levels: number): void {
  if (building.depth + levels > maxDepth) building.tooDeep = true
}

/** What `recipe` makes inside something else, `levels` further down. */
function makeInside(building: Building, recipe: Recipe, levels = 1): Pair {
  building.depth += levels
  const made = make(building, recipe)
  building.depth -= levels
  return made
}

function makeObjectOf(building: Building, recipe: Recipe): Pair {
  switch (recipe.is) {
    case 'date':
      return [new Date(recipe.ms), new Date(recipe.ms)]
    case 'regexp':
      return [new RegExp(recipe.source, recipe.flags), new RegExp(recipe.source, recipe.flags)]
    case 'url':
      return [makeUrl(recipe), makeUrl(recipe)]
    case 'bytes':
      return [makeBytes(recipe, recipe.spare), makeBytes(recipe, 0)]
    case 'views':
      return [makeViews(recipe), makeViews(recipe)]
    case 'many':
      return [makeMany(recipe), makeMany(recipe)]
    case 'refused':
      if (recipe.name === changingName) building.changes = true
      return makeOffender(building, makeRefused(recipe.name))
    default:
      return makeContainer(building, recipe)
  }
}

function makeContainer(building: Building, recipe: Recipe): Pair {
  switch (recipe.is) {
    case 'array':
      return makeArray(building, recipe)
    case 'holes':
      return makeHoles(building, recipe)
    case 'object':
      return makeObject(building, recipe)
    case 'map':
      return makeMap(building, recipe)
    case 'set':
      return makeSet(building, recipe)
    case 'error':
      return makeError(building, recipe)
    case 'chain':
      return makeChain(building, recipe)
    default:
      throw new TypeError(`no such recipe: ${recipe.is}`)
  }
}

type Kind<Is extends Recipe['is']> = Extract<Recipe, { is: Is }>

function makeOffender(building: Building, value: unknown): Pair {
  building.offenders.add(value)
  return [value, undefined]
}

function begin<T>(building: Building, sent: T, expected: T): readonly [T, T] {
  building.containers.push([sent, expected])
  return [sent, expected]
}

function makeUrl({ path, parametersOnly }: Kind<'url'>): URL | URLSearchParams {
  return parametersOnly ? new URLSearchParams(path) : new URL(path, 'http://a.b')
}

/** A multiple of every element's size, so that a view can begin there. */
const unit = 8

function makeBytes({ as, length, fill }: Kind<'bytes'>, spare: number): unknown {
  const bytes = Uint8Array.from({ length: length * unit }, (_, index) => (index * 31 + fill) % 256)
  const backing = new Uint8Array(bytes.length + 2 * spare * unit).fill(255)
  backing.set(bytes, spare * unit)
  if (as === 'ArrayBuffer') return bytes.buffer
  if (as === 'Buffer') return Buffer.from(backing.buffer, spare * unit, bytes.length)
  return viewOf(as, backing.buffer, spare * unit, bytes.length)
}

function viewOf(name: string, buffer: ArrayBuffer, offset: number, byteLength: number): unknown {
  const View = Reflect.get(globalThis, name) as {
    new (buffer: ArrayBuffer, offset: number, length: number): unknown
    readonly BYTES_PER_ELEMENT?: number
  }
  return new View(buffer, offset, byteLength / (View.BYTES_PER_ELEMENT ?? 1))
}

function makeViews({ as }: Kind<'views'>): unknown {
  const { buffer } = Uint8Array.from({ length: 2 * unit }, (_, index) => index)
  return as.map((name) => {
    return name === 'Buffer' ? Buffer.from(buffer.slice(0)) : viewOf(name, buffer, 0, 2 * unit)
  })
}

function makeMany({ of, count }: Kind<'many'>): unknown {
  const numbers = Array.from({ length: count }, (_, index) => index)
  if (of === 'items') return numbers
  if (of === 'set') return new Set(numbers)
  if (of === 'map') return new Map(numbers.map((index) => [`k${index}`, index]))
  return Object.fromEntries(numbers.map((index) => [`k${index}`, index]))
}

function makeArray(building: Building, { items, proxy }: Kind<'array'>): Pair {
  const target: unknown[] = []
  const [, expected] = begin(building, proxy ? new Proxy(target, {}) : target, [] as unknown[])
  const [sent] = building.containers.at(-1) as Pair
  for (const item of items) {
    const made = makeInside(building, item)
    target.push(made[0])
    expected.push(made[1])
  }
  return [sent, expected]
}

/** Longer ones are refused: their length costs nothing to claim. */
const maxSparseLength = 1_048_576

function makeHoles(building: Building, { length, items }: Kind<'holes'>): Pair {
  const pair = begin(building, [] as unknown[], [] as unknown[])
  for (const side of pair) side.length = length
  // In the order of their indices, as they are read: what is met first is what a second one refers to.
  for (const [index, item] of items.toSorted(([a], [b]) => a - b)) {
    if (Object.hasOwn(pair[0], index)) continue
    const made = makeInside(building, item)
    pair.forEach((side, which) => {
      side[index] = made[which]
    })
  }
  if (pair[0].length > maxSparseLength) building.offenders.add(pair[0])
  return pair
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

/** Indices come first in every object, in their order: they are made first, for the same reason as above. */
function inOrderOfKeys(entries: readonly Entry[]): readonly Entry[] {
  return Object.entries(Object.fromEntries(entries))
}

function makeObject(building: Building, { how, entries }: Kind<'object'>): Pair {
  const prototype = how === 'bare' ? null : Object.prototype
  const target = Object.create(prototype) as object
  const expected = Object.create(prototype) as object
  const sent = how === 'proxy' ? new Proxy(target, {}) : target
  building.containers.push([sent, expected])
  for (const [key, item] of inOrderOfKeys(entries)) {
    // An own `__proto__` is what an attack looks like: the object that has one is refused.
    if (key === '__proto__') building.offenders.add(sent)
    const made = makeInside(building, item)
    if (how !== 'getters') define(target, key, made[0])
    else Object.defineProperty(target, key, { enumerable: true, configurable: true, get: () => made[0] })
    define(expected, key, made[1])
  }
  return [sent, expected]
}

function makeMap(building: Building, { entries }: Kind<'map'>): Pair {
  const [sent, expected] = begin(building, new Map<unknown, unknown>(), new Map<unknown, unknown>())
  for (const [keyRecipe, itemRecipe] of entries) {
    const key = makeInside(building, keyRecipe)
    // What a second entry of the same key replaces would be nowhere to be found.
    if (sent.has(key[0])) continue
    // The key has its place before the item is made, as it is read first.
    const item = makeInside(building, itemRecipe)
    sent.set(key[0], item[0])
    expected.set(key[1], item[1])
  }
  return [sent, expected]
}

function makeSet(building: Building, { items }: Kind<'set'>): Pair {
  const [sent, expected] = begin(building, new Set<unknown>(), new Set<unknown>())
  for (const item of items) {
    const made = makeInside(building, item)
    sent.add(made[0])
    expected.add(made[1])
  }
  return [sent, expected]
}

function newError(as: (typeof errorKinds)[number], message: string): Error {
  if (as === 'registered') return new RegisteredError(message)
  if (as === 'unregistered') return new UnregisteredError(message)
  if (as === 'AggregateError') return new AggregateError([], message)
  // A DOMException without a message has none of its own to compare.
  if (as === 'DOMException') return new DOMException(message || 'stop', 'AbortError')
  return new (Reflect.get(globalThis, as) as ErrorConstructor)(message)
}

/** What must come back: a class that nobody registered comes back as Error, with its name. */
function returnedError(sent: Error, as: (typeof errorKinds)[number]): Error {
  const known = as !== 'unregistered' && as !== 'DOMException'
  const error = known ? newError(as, sent.message) : new Error(sent.message)
  return hideProperty(error, 'name', sent.name)
}

function hideProperty<T extends object>(target: T, key: string, value: unknown): T {
  return Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: false })
}

function makeError(building: Building, recipe: Kind<'error'>): Pair {
  const { as, message, cause, errors, props } = recipe
  const sent = newError(as, message)
  if (as === 'registered' || as === 'unregistered') {
    Object.defineProperty(sent, 'name', { enumerable: false })
  }
  const pair = begin(building, sent, returnedError(sent, as))
  const hide = (key: string, values: Pair) => {
    pair.forEach((side, which) => {
      hideProperty(side, key, values[which])
    })
  }
  hide('stack', [`${sent.name}: somewhere`, `${sent.name}: somewhere`])
  if (as === 'AggregateError') {
    goDown(building, 2)
    const lists: [unknown[], unknown[]] = [[], []]
    building.containers.push(lists)
    hide('errors', lists)
    for (const item of errors) {
      const made = makeInside(building, item, 2)
      lists.forEach((list, which) => {
        list.push(made[which])
      })
    }
  }
  if (cause !== undefined) hide('cause', makeInside(building, cause))
  makeProperties(building, pair, props)
  return pair
}

/** These are fields of every error, not its own. */
const errorFields = new Set(['name', 'message', 'stack', 'cause', 'errors'])

function makeProperties(
  building: Building,
  [sent, expected]: readonly [Error, Error],
  props: readonly Entry[],
): void {
  for (const [key, item] of inOrderOfKeys(props)) {
    if (errorFields.has(key)) continue
    if (key === '__proto__') building.offenders.add(sent)
    goDown(building, 2)
    const made = makeInside(building, item, 2)
    define(sent, key, made[0])
    define(expected, key, made[1])
  }
}

function makeChain(building: Building, { of, levels, end }: Kind<'chain'>): Pair {
  // Nothing refers to the inside of a chain, so that its depth is its depth. An error's properties are a level more.
  const depth = of === 'property' ? 2 * levels : levels
  goDown(building, depth)
  const made = makeInside(building, end, depth)
  const links: [unknown, unknown] = [...made]
  for (let level = 0; level < levels; level++) {
    links[0] = link(of, links[0])
    links[1] = link(of, links[1])
  }
  return links
}

function link(of: Kind<'chain'>['of'], inner: unknown): unknown {
  switch (of) {
    case 'array':
      return [inner]
    case 'object':
      return { a: inner }
    case 'bare':
      return Object.assign(Object.create(null), { a: inner })
    case 'map':
      return new Map([['a', inner]])
    case 'mapKey':
      return new Map([[inner, 'a']])
    case 'set':
      return new Set([inner])
    case 'cause':
      return errorWith({ cause: inner }, {})
    case 'property':
      return errorWith({}, { data: inner })
  }
}

function errorWith(options: ErrorOptions, props: object): Error {
  return hideProperty(Object.assign(new Error('link', options), props), 'stack', 'Error: link')
}
