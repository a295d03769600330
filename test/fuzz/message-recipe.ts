/**
 * Recipes of events: batches in which sound messages stand among whatever a queue that others can write to may hold.
 * @module
 */
import fc from 'fast-check'
import { type Edit, edits, forgedTables } from './texts.ts'

/** The calls that are there before the batch, and must be as they were after it. */
export const victims = ['final', 'live', 'pending', 'killed', 'expired'] as const

/** A message's body. */
export type BodyRecipe =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'json'; readonly value: unknown }
  /** Not even a text. */
  | { readonly is: 'thing'; readonly value: unknown }
  /** An envelope of ours with other fields, or without some. */
  | {
      readonly is: 'envelope'
      readonly fields: Readonly<Record<string, unknown>>
      readonly without: readonly string[]
    }
  | { readonly is: 'edited'; readonly edits: readonly Edit[] }
  /** An envelope whose arguments are this text. */
  | { readonly is: 'arguments'; readonly text: string }
  | { readonly is: 'long'; readonly field: string; readonly length: number }
  /** An envelope that names the call of somebody else. */
  | {
      readonly is: 'forged'
      readonly victim: (typeof victims)[number]
      readonly knowsHash: boolean
      readonly task: string
    }

/** One record of an event. */
export type MessageRecipe =
  | {
      readonly is: 'sound'
      readonly attributes: Readonly<Record<string, unknown>> | undefined
      readonly twice: boolean
    }
  | {
      readonly is: 'poison'
      readonly body: BodyRecipe
      readonly attributes: Readonly<Record<string, unknown>> | undefined
    }
  /** No record at all. */
  | { readonly is: 'stray'; readonly value: unknown }

/** What Lambda gives a handler beside the event. */
export const contextNames = [
  ...['sound', 'none', 'null', 'empty', 'NaN', 'Infinity', 'a text', 'huge', 'throwing', 'undefined'],
  ...['zero', 'negative', 'short'],
] as const

/** One invocation. */
export interface BatchRecipe {
  readonly messages: readonly MessageRecipe[]
  readonly context: (typeof contextNames)[number]
}

/** Names that an attacker would try, and that no registry has. */
export const hostileNames = [
  ...[
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'valueOf',
    'prototype',
    'then',
    '__defineGetter__',
  ],
  ...[
    '../x',
    '../../etc/passwd',
    'file:///etc/passwd',
    'node:child_process',
    'data:text/javascript,1',
    ' add',
  ],
  ...[
    'add ',
    'Add',
    'аdd',
    'add\u0000',
    'ａdd',
    'add\u200b',
    '\u202eadd',
    'reports',
    'reports.',
    '.build',
    'echo.call',
  ],
  ...[
    '\n{"level":"error"}',
    '\u001b[31m',
    '',
    '*',
    '%s',
    '{{7*7}}',
    '1',
    'undefined',
    'null',
    'x'.repeat(256),
  ],
] as const

const oddValues = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0,
    0.5,
    1e300,
    2 ** 53,
    -5e-324,
    4294967295,
    [],
    {},
    '',
    ' ',
    '\u0000',
    '\ud800',
  ),
  fc.constantFrom(...hostileNames),
  fc.jsonValue({ maxDepth: 2 }),
  fc.integer(),
)
const fieldNames = fc.constantFrom(
  ...['v', 'id', 'task', 'queue', 'payloadHash', 'createdAt', 'dueAt', 'tenant', 'parent', 'depth', 'args'],
  ...['onSucceeded', 'onFailed', 'attempts', 'owner', 'toJSON', 'constructor', 'priority', 'sends'],
)

const bodies: fc.Arbitrary<BodyRecipe> = fc.oneof(
  {
    arbitrary: fc.record({
      is: fc.constant('text' as const),
      text: fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', ' ', '{', 'null', '[]', '\ufeff{}', '\u001f\u008b\b\u0000', '['.repeat(5000)),
      ),
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ is: fc.constant('json' as const), value: fc.jsonValue() }), weight: 1 },
  {
    arbitrary: fc.record({
      is: fc.constant('thing' as const),
      value: fc.constantFrom(undefined, null, 5, {}, [], true),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      is: fc.constant('envelope' as const),
      fields: fc.dictionary(fieldNames, oddValues, { maxKeys: 3 }),
      without: fc.array(fieldNames, { maxLength: 1 }),
    }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      is: fc.constant('envelope' as const),
      fields: fc.record({ task: fc.constantFrom(...hostileNames) }),
      without: fc.constant([]),
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ is: fc.constant('edited' as const), edits }), weight: 6 },
  { arbitrary: fc.record({ is: fc.constant('arguments' as const), text: forgedTables }), weight: 4 },
  {
    arbitrary: fc.record({
      is: fc.constant('long' as const),
      field: fc.constantFrom('task', 'id', 'queue', 'payloadHash', 'tenant', 'parent', 'args', 'v'),
      length: fc.constantFrom(257, 5000, 5000, 5000, 1_000_000),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      is: fc.constant('forged' as const),
      victim: fc.constantFrom(...victims),
      knowsHash: fc.boolean(),
      task: fc.constantFrom('echo', 'add', 'constructor', 'none'),
    }),
    weight: 4,
  },
)

const attributeNames = fc.constantFrom(
  ...['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp', 'SentTimestamp', 'MessageGroupId'],
  ...['SequenceNumber', 'DeadLetterQueueSourceArn', 'constructor', 'SenderId'],
)
/** SQS's attributes are texts; other primitives stand for those who make events by hand. */
const attributeValues = fc.oneof(
  fc.constantFrom('1', '2', '99', '-1', 'NaN', '', '0', '1e999', '1767225600000', null, true, -1, 0.5, 1e300),
  fc.constantFrom(...hostileNames),
  fc.string(),
)
const attributes = fc.option(fc.dictionary(attributeNames, attributeValues, { maxKeys: 3 }), {
  nil: undefined,
})

const messages: fc.Arbitrary<MessageRecipe> = fc.oneof(
  {
    arbitrary: fc.record({
      is: fc.constant('sound' as const),
      attributes: fc.oneof({ arbitrary: fc.constant({}), weight: 3 }, { arbitrary: attributes, weight: 1 }),
      twice: fc.nat({ max: 9 }).map((n) => n === 9),
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ is: fc.constant('poison' as const), body: bodies, attributes }), weight: 12 },
  {
    arbitrary: fc.record({
      is: fc.constant('stray' as const),
      value: fc.constantFrom(null, undefined, 5, 'x', true),
    }),
    weight: 1,
  },
)

/** Recipes of batches, of up to 10 messages as SQS gives them. */
export const batches: fc.Arbitrary<BatchRecipe> = fc.record({
  messages: fc.array(messages, { minLength: 1, maxLength: 10, size: 'max' }),
  context: fc.oneof(
    { arbitrary: fc.constant('sound' as const), weight: 3 },
    { arbitrary: fc.constantFrom(...contextNames), weight: 1 },
  ),
})

/** Events that are none. */
export const strayEvents: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.record({ Records: fc.jsonValue() }),
  fc.constantFrom(undefined, { Records: undefined }, { Records: { length: 3 } }, { records: [] }),
)
