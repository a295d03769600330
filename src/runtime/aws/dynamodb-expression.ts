/**
 * Translates the store port's conditions and changes into DynamoDB's expressions. Every name and value is a
 * placeholder, so no field can clash with DynamoDB's 573 reserved words, and no value can be read as syntax.
 * @module
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Change, Condition, Field } from '../ports/store.ts'
import { attributeOf, attributeValueOf, fieldsOf, type Item } from './dynamodb-item.ts'

/** The parts of a request that belong together. */
export interface Expression {
  readonly ConditionExpression: string
  readonly UpdateExpression?: string
  readonly ExpressionAttributeNames: Record<string, string>
  readonly ExpressionAttributeValues?: Record<string, AttributeValue>
}

/** The placeholders of one request. */
interface Placeholders {
  readonly names: Record<string, string>
  readonly values: Record<string, AttributeValue>
  /** Of the values: an object does not know how many properties it has. */
  count: number
}

function noPlaceholders(): Placeholders {
  return { names: {}, values: {}, count: 0 }
}

/**
 * The placeholders that were made so far. A text that is put together anew is looked up in all of the engine's property names
 * before it can be one, here and again where the SDK reads it: 80 µs for a claim (measured), more than all else here.
 */
const madeNames = new Map<string, string>()
const madeValues: string[] = []

function nameOf({ names }: Placeholders, attribute: string): string {
  let name = madeNames.get(attribute)
  if (name === undefined) {
    name = `#${attribute}`
    madeNames.set(attribute, name)
  }
  names[name] = attribute
  return name
}

function placeholderOf(placeholders: Placeholders, value: AttributeValue): string {
  const { count, values } = placeholders
  const name = madeValues[count] ?? `:v${count}`
  madeValues[count] = name
  values[name] = value
  placeholders.count += 1
  return name
}

function fieldName(placeholders: Placeholders, field: Field): string {
  return nameOf(placeholders, attributeOf(field))
}

const words = { all: 'AND', any: 'OR' } as const

/** What joins two or more expressions is put in parentheses; DynamoDB refuses redundant ones around a single one. */
function join(
  placeholders: Placeholders,
  conditions: readonly Condition[],
  kind: 'all' | 'any',
  outermost: boolean,
): string {
  const only = conditions[0]
  if (only !== undefined && conditions.length === 1) return conditionText(placeholders, only, outermost)
  if (only === undefined) return constant(placeholders, kind === 'all', outermost)
  const text = conditions.map((one) => conditionText(placeholders, one, false)).join(` ${words[kind]} `)
  return outermost ? text : `(${text})`
}

/** DynamoDB has no constants: the key is there, or it is not. */
function constant(placeholders: Placeholders, value: boolean, outermost: boolean): string {
  const key: readonly Condition[] = [
    ['id', 'present'],
    ['id', 'absent'],
  ]
  return join(placeholders, key, value ? 'any' : 'all', outermost)
}

function conditionText(placeholders: Placeholders, condition: Condition, outermost: boolean): string {
  if ('all' in condition) return join(placeholders, condition.all, 'all', outermost)
  if ('any' in condition) return join(placeholders, condition.any, 'any', outermost)
  const [field, test, operand] = condition
  // Before anything gets a placeholder: DynamoDB refuses those that no expression uses, and an empty IN.
  if (test === 'in' && operand.length === 0) return constant(placeholders, false, outermost)
  const name = fieldName(placeholders, field)
  const value = (of: string | number) => placeholderOf(placeholders, attributeValueOf(field, of))
  switch (test) {
    case 'absent':
      return `attribute_not_exists(${name})`
    case 'present':
      return `attribute_exists(${name})`
    case 'in':
      return `${name} IN (${operand.map(value).join(', ')})`
    default:
      return `${name} ${test} ${value(operand)}`
  }
}

function finished(placeholders: Placeholders, condition: string, update?: string): Expression {
  const { names, values, count } = placeholders
  return {
    ConditionExpression: condition,
    ...(update !== undefined && update !== '' && { UpdateExpression: update }),
    ExpressionAttributeNames: names,
    ...(count > 0 && { ExpressionAttributeValues: values }),
  }
}

/** The condition of a put. */
export function conditionExpression(condition: Condition): Expression {
  const placeholders = noPlaceholders()
  return finished(placeholders, conditionText(placeholders, condition, true))
}

/**
 * A change as one update. `set` wins over `initial` for the same field, and a counter in `initial` counts on from
 * there: DynamoDB takes each attribute once. `keys` are attributes that are no fields, written where absent.
 */
export function updateExpression(change: Change, keys: Item = {}): Expression {
  const placeholders = noPlaceholders()
  const { set, initial = {}, increment = [], remove = [] } = change
  const assigned: string[] = []
  const counters = new Set<Field>(increment)
  for (const [field, value] of fieldsOf(set)) {
    assigned.push(
      `${fieldName(placeholders, field)} = ${placeholderOf(placeholders, attributeValueOf(field, value))}`,
    )
  }
  const absent = (name: string, value: AttributeValue) =>
    `if_not_exists(${name}, ${placeholderOf(placeholders, value)})`
  for (const [field, value] of fieldsOf(initial)) {
    if (set[field] !== undefined || counters.has(field)) continue
    const name = fieldName(placeholders, field)
    assigned.push(`${name} = ${absent(name, attributeValueOf(field, value))}`)
  }
  for (const field of counters) {
    const name = fieldName(placeholders, field)
    const from = attributeValueOf(field, initial[field] ?? 0)
    assigned.push(`${name} = ${absent(name, from)} + ${placeholderOf(placeholders, { N: '1' })}`)
  }
  for (const [attribute, value] of Object.entries(keys)) {
    const name = nameOf(placeholders, attribute)
    assigned.push(`${name} = ${absent(name, value)}`)
  }
  const removed = remove.filter((field) => field !== 'id').map((field) => fieldName(placeholders, field))
  const update = [
    assigned.length > 0 ? `SET ${assigned.join(', ')}` : '',
    removed.length > 0 ? `REMOVE ${removed.join(', ')}` : '',
  ]
  return finished(
    placeholders,
    conditionText(placeholders, change.when, true),
    update.filter((clause) => clause !== '').join(' '),
  )
}
