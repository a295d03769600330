/**
 * Recipes of values: plain data that says how to make a value. A hostile value (a getter that throws, a revoked
 * proxy) can be neither printed nor shrunk; its recipe can, so a failure shows the smallest recipe.
 *
 * A recipe also knows what must become of its value, without asking the codec: what is refused is made from a list
 * of its own (`refused-values.ts`), and all the rest must come back.
 * @module
 */
import fc from 'fast-check'
import { refusedNames } from './refused-values.ts'

/** The views that are sent; Buffer is Node's. */
export const viewNames = [
  ...['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array'],
  ...['Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'DataView', 'Buffer'],
] as const

/** The kinds of errors: JavaScript's own, a registered class, one that nobody registered, and the platform's. */
export const errorKinds = [
  ...['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError'],
  ...['AggregateError', 'registered', 'unregistered', 'DOMException'],
] as const

/** What a chain that is many levels deep is made of. */
export const chainKinds = ['array', 'object', 'bare', 'map', 'mapKey', 'set', 'cause', 'property'] as const

/** A property or a Map's entry, the key first. */
export type Entry = readonly [key: string, item: Recipe]

/** How to make one value. */
export type Recipe =
  | { readonly is: 'primitive'; readonly value: string | number | bigint | boolean | null | undefined }
  | { readonly is: 'date'; readonly ms: number }
  | { readonly is: 'regexp'; readonly source: string; readonly flags: string }
  | { readonly is: 'url'; readonly path: string; readonly parametersOnly: boolean }
  | {
      readonly is: 'bytes'
      readonly as: (typeof viewNames)[number] | 'ArrayBuffer'
      readonly length: number
      /** Bytes of the backing buffer on either side, of 8 each; none: the view shows all of it. */
      readonly spare: number
      readonly fill: number
    }
  /** Several views of one memory. */
  | { readonly is: 'views'; readonly as: readonly (typeof viewNames)[number][] }
  | { readonly is: 'array'; readonly items: readonly Recipe[]; readonly proxy: boolean }
  | {
      readonly is: 'holes'
      readonly length: number
      readonly items: readonly (readonly [index: number, item: Recipe])[]
    }
  | {
      readonly is: 'object'
      readonly how: 'plain' | 'bare' | 'getters' | 'proxy'
      readonly entries: readonly Entry[]
    }
  | { readonly is: 'map'; readonly entries: readonly (readonly [key: Recipe, item: Recipe])[] }
  | { readonly is: 'set'; readonly items: readonly Recipe[] }
  | {
      readonly is: 'error'
      readonly as: (typeof errorKinds)[number]
      readonly message: string
      readonly cause: Recipe | undefined
      readonly errors: readonly Recipe[]
      readonly props: readonly Entry[]
    }
  /** One of the containers made before: the same object twice, or a cycle. */
  | { readonly is: 'again'; readonly which: number }
  | {
      readonly is: 'chain'
      readonly of: (typeof chainKinds)[number]
      readonly levels: number
      readonly end: Recipe
    }
  | { readonly is: 'many'; readonly of: 'keys' | 'items' | 'map' | 'set'; readonly count: number }
  | { readonly is: 'refused'; readonly name: string }

const hostileKeys = [
  ...[
    'then',
    'constructor',
    'prototype',
    'hasOwnProperty',
    'toString',
    'valueOf',
    'toJSON',
    'json',
    '__errand',
  ],
  ...[
    '__defineGetter__',
    'length',
    '0',
    '-1',
    '4294967295',
    'a b',
    'a"b',
    '',
    '\u0000',
    '\ud800',
    '\uffff',
    'é',
  ],
  ...['class', 'name', 'props', 'errors', 'Error', 'get', 'ſtack', '$type', '$$typeof', 'caller'],
]
const texts = fc.oneof(
  { arbitrary: fc.string({ maxLength: 6 }), weight: 4 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 6 }), weight: 2 },
  {
    arbitrary: fc.constantFrom(
      ...[
        '\ud800',
        'a\udc00',
        '\u0000',
        '\ufffe',
        '\uffff',
        '😀',
        '__proto__',
        '{"json":1}',
        '[[-7,4294967295]]',
      ],
      ...['["Error",1]', '-1', 'undefined', '</script>', '\u2028', '\u001b[31m', '1970-01-01T00:00:00.000Z'],
    ),
    weight: 2,
  },
)
const keys = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'c', 'd'), weight: 50 },
  { arbitrary: fc.constantFrom(...hostileKeys), weight: 40 },
  { arbitrary: texts, weight: 10 },
  { arbitrary: fc.constant('__proto__'), weight: 2 },
)
const numbers = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, -1, -2, -7, 2 ** 53, 5e-324, 4294967295),
)
const primitives = fc
  .oneof(texts, numbers, fc.constantFrom(true, false, null, undefined), fc.bigInt())
  .map((value): Recipe => ({ is: 'primitive', value }))

const bytes = fc.record({
  is: fc.constant('bytes' as const),
  as: fc.constantFrom(...viewNames, 'ArrayBuffer' as const),
  length: fc.oneof(
    { arbitrary: fc.nat({ max: 4 }), weight: 9 },
    { arbitrary: fc.nat({ max: 300 }), weight: 1 },
  ),
  spare: fc.nat({ max: 2 }),
  fill: fc.nat({ max: 255 }),
})
const leaves = fc.oneof(
  { arbitrary: primitives, weight: 12 },
  {
    arbitrary: fc.record({
      is: fc.constant('date' as const),
      ms: fc.oneof(fc.constantFrom(0, Number.NaN, 8.64e15, -8.64e15, -62198755200000), fc.integer()),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      is: fc.constant('regexp' as const),
      source: fc.constantFrom('a', '', 'a/b', '\\n', '(?<x>.)\\k<x>', '[.]', '\u2028', '\ud800', '\ufffe'),
      flags: fc.constantFrom('', 'g', 'giu', 'dmsy', 'v'),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      is: fc.constant('url' as const),
      path: fc.constantFrom('', '/é?a=1&a=2', '/%00#x', '/a b', '?=&=', '/\ud800', '/__proto__'),
      parametersOnly: fc.boolean(),
    }),
    weight: 1,
  },
  { arbitrary: bytes, weight: 2 },
  {
    arbitrary: fc.record({
      is: fc.constant('views' as const),
      as: fc.array(fc.constantFrom(...viewNames), { minLength: 1, maxLength: 3 }),
    }),
    weight: 1,
  },
)

/** Long, deep and wide values cost a thousand times a small one: rare. */
const extremes = fc.oneof(
  fc.record({
    is: fc.constant('many' as const),
    of: fc.constantFrom('keys' as const, 'items' as const, 'map' as const, 'set' as const),
    count: fc.nat({ max: 3000 }),
  }),
  fc.record({
    is: fc.constant('holes' as const),
    length: fc.constantFrom(1_048_576, 1_048_577, 4_294_967_295),
    items: fc.constantFrom([], [[1000, { is: 'primitive' as const, value: 1 }]] as const),
  }),
)

/** How deep containers stand in each other, beside the chains. */
const treeDepth = 4

/**
 * Recipes of values.
 * @param options.refused how many of a hundred leaves are of the kind that must be refused; @default 6
 */
export function recipes({ refused = 6 }: { readonly refused?: number } = {}): fc.Arbitrary<Recipe> {
  const { any } = fc.letrec<{ any: Recipe }>((tie) => {
    const item = tie('any')
    const few = fc.array(item, { maxLength: 4 })
    const entry = fc.tuple(
      refused > 0 ? keys : keys.map((key) => (key === '__proto__' ? 'proto' : key)),
      item,
    )
    const leaf = fc.oneof(
      { arbitrary: leaves, weight: 100 - refused },
      { arbitrary: refusedLeaf, weight: refused },
    )
    return {
      any: fc.oneof(
        { maxDepth: treeDepth, depthIdentifier: 'recipe' },
        { arbitrary: leaf, weight: 10 },
        { arbitrary: fc.nat({ max: 30 }).map((which): Recipe => ({ is: 'again', which })), weight: 2 },
        { arbitrary: containers(item, few, fc.array(entry, { maxLength: 4 })), weight: 12 },
        { arbitrary: chains(item, refused > 0), weight: 1 },
      ),
    }
  })
  return fc.oneof({ arbitrary: any, weight: 400 }, { arbitrary: refused > 0 ? extremes : leaves, weight: 1 })
}

const refusedLeaf = fc.constantFrom(...refusedNames).map((name): Recipe => ({ is: 'refused', name }))

function containers(
  item: fc.Arbitrary<Recipe>,
  few: fc.Arbitrary<Recipe[]>,
  entries: fc.Arbitrary<Entry[]>,
): fc.Arbitrary<Recipe> {
  const one = <T extends string>(is: T) => fc.constant(is)
  return fc.oneof(
    {
      arbitrary: fc.record({ is: one('array'), items: few, proxy: fc.nat({ max: 20 }).map((n) => n === 20) }),
      weight: 4,
    },
    {
      arbitrary: fc.record({
        is: one('holes'),
        length: fc.nat({ max: 200 }),
        items: fc.array(fc.tuple(fc.nat({ max: 220 }), item), { maxLength: 3 }),
      }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        is: one('object'),
        how: fc.constantFrom('plain', 'plain', 'plain', 'bare', 'getters', 'proxy'),
        entries,
      }),
      weight: 6,
    },
    {
      arbitrary: fc.record({ is: one('map'), entries: fc.array(fc.tuple(item, item), { maxLength: 3 }) }),
      weight: 2,
    },
    { arbitrary: fc.record({ is: one('set'), items: few }), weight: 2 },
    {
      arbitrary: fc.record({
        is: one('error'),
        as: fc.constantFrom(...errorKinds),
        message: texts,
        cause: fc.option(item, { nil: undefined }),
        errors: fc.array(item, { maxLength: 2 }),
        props: entries,
      }),
      weight: 2,
    },
  ) as fc.Arbitrary<Recipe>
}

function chains(item: fc.Arbitrary<Recipe>, withTooDeep: boolean): fc.Arbitrary<Recipe> {
  const deepest = withTooDeep ? [249, 250, 251, 499, 500, 501, 5000] : [200]
  return fc.record({
    is: fc.constant('chain' as const),
    of: fc.constantFrom(...chainKinds),
    levels: fc.oneof(
      { arbitrary: fc.nat({ max: 12 }), weight: 30 },
      { arbitrary: fc.constantFrom(100, 200), weight: 2 },
      { arbitrary: fc.constantFrom(...deepest), weight: 1 },
    ),
    end: item,
  })
}
