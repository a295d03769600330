/**
 * The words of the store port as a straightforward model, and a property that holds a store to it under random
 * conditions and changes.
 * @module
 */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { Change, Condition, Field } from '../../src/runtime/ports/store.ts'
import { newRecord, type UsingStore } from './store-records.ts'

type Fields = Partial<Record<Field, string | number>>

/** Whether `condition` holds of `record`. */
export function holds(condition: Condition, record: Fields | undefined): boolean {
  if ('all' in condition) return condition.all.every((each) => holds(each, record))
  if ('any' in condition) return condition.any.some((each) => holds(each, record))
  const [field, test, operand] = condition
  const value = record?.[field]
  if (test === 'absent') return value === undefined
  if (value === undefined) return false
  if (test === 'present') return true
  if (test === 'in') return operand.includes(value)
  if (test === '=') return value === operand
  if (typeof value !== 'number' || operand === undefined) return false
  if (test === '<') return value < operand
  return test === '>' ? value > operand : value <= operand
}

/** The record after `change`. */
export function changed(change: Change, id: string, before: Fields | undefined): Fields {
  const record: Fields = { ...change.initial, ...before, id, ...change.set }
  for (const counter of change.increment ?? []) record[counter] = Number(record[counter] ?? 0) + 1
  for (const field of change.remove ?? []) delete record[field]
  return record
}

// Few fields and few values, so that conditions meet what changes wrote.
const texts = ['state', 'owner', 'tenant', 'abortReason'] as const
const numbers = ['dueAt', 'leaseUntil', 'expiresAtSeconds', 'depth'] as const
const text = fc.constantFrom('', 'running', 'a', 'ü😀', '#at')
const number = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(0.5, 1_900_000_000_123))
const textField = fc.constantFrom(...texts)
const numberField = fc.constantFrom(...numbers)
const anyField = fc.oneof(textField, numberField)

function conditions(listed: fc.Arbitrary<string>): fc.Arbitrary<Condition> {
  return fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(fc.constantFrom('id' as const, ...texts, ...numbers), fc.constantFrom('absent', 'present')),
      fc.tuple(textField, fc.constant('=' as const), text),
      fc.tuple(numberField, fc.constant('=' as const), number),
      fc.tuple(textField, fc.constant('in' as const), fc.array(listed, { maxLength: 3 })),
      fc.tuple(numberField, fc.constantFrom('<', '<=', '>'), number),
      fc.record({ all: fc.array(tie('condition'), { maxLength: 3 }) }),
      fc.record({ any: fc.array(tie('condition'), { maxLength: 3 }) }),
    ) as fc.Arbitrary<Condition>,
  })).condition
}

const part = (keys: fc.Arbitrary<Field[]>) =>
  keys.chain((fields) =>
    fc
      .tuple(...fields.map((field) => ((texts as readonly string[]).includes(field) ? text : number)))
      .map((values) => Object.fromEntries(fields.map((field, index) => [field, values[index]]))),
  ) as fc.Arbitrary<Partial<CallRecord>>

const someFields = fc.uniqueArray(anyField, { maxLength: 4 })

/** A field is in `set` or in `remove`, never in both: what that means is not the port's word. */
function changes(condition: fc.Arbitrary<Condition>): fc.Arbitrary<Change> {
  return fc
    .record({
      when: condition,
      set: part(someFields),
      initial: part(someFields),
      increment: fc.uniqueArray(fc.constantFrom('attempts' as const, 'failures' as const)),
      removed: someFields,
    })
    .map(({ removed, ...rest }) => {
      const remove = removed.filter((field) => !(field in rest.set) && !(field in rest.initial))
      return { ...rest, remove }
    })
}

/** The property: after any steps the store answers, and holds, what the model does. */
export function describeModel(using: UsingStore, runs: number, emptyTextInList: boolean): void {
  const condition = conditions(emptyTextInList ? text : text.filter((each) => each !== ''))
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ change: changes(condition) }) },
    { weight: 1, arbitrary: fc.record({ put: part(someFields), when: condition }) },
  )
  test(
    'does what the model does, whatever the conditions and changes',
    using(async (store) => {
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const id = randomUUID()
        let record: Fields | undefined
        for (const each of steps) {
          const put = 'put' in each ? { ...newRecord({ id }), ...each.put } : undefined
          const when = 'put' in each ? each.when : each.change.when
          const next = 'put' in each ? put : changed(each.change, id, record)
          const allowed = holds(when, record)
          const answer = 'put' in each ? store.put(put as CallRecord, when) : store.update(id, each.change)
          expect(await answer).toEqual(
            allowed ? { written: true, record: next } : { written: false, existing: record },
          )
          if (allowed) record = next
          expect(await store.read([id], { consistent: true })).toEqual([record])
        }
      })
      await fc.assert(property, { numRuns: runs })
    }),
    60_000,
  )
}
