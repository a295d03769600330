/**
 * The store port's conditions and changes, applied to one record: what a DynamoDB expression says, in this process.
 * @module
 */
import type { CallRecord } from '../runtime/call/record.ts'
import type { Change, Condition, Field } from '../runtime/ports/store.ts'

type Comparison = Extract<Condition, readonly unknown[]>

function isComparison(condition: Condition): condition is Comparison {
  return Array.isArray(condition)
}

function compares(comparison: Comparison, record: CallRecord | undefined): boolean {
  const value = record?.[comparison[0]]
  if (comparison[1] === 'absent') return value === undefined
  if (value === undefined) return false
  switch (comparison[1]) {
    case 'present':
      return true
    case '=':
      return value === comparison[2]
    case 'in':
      return comparison[2].includes(value)
    case '<':
      return typeof value === 'number' && value < comparison[2]
    case '<=':
      return typeof value === 'number' && value <= comparison[2]
    case '>':
      return typeof value === 'number' && value > comparison[2]
  }
}

/** Whether the condition holds of the record, or of there being none. */
export function holds(condition: Condition, record: CallRecord | undefined): boolean {
  if (isComparison(condition)) return compares(condition, record)
  if ('all' in condition) {
    for (const part of condition.all) if (!holds(part, record)) return false
    return true
  }
  for (const part of condition.any) if (holds(part, record)) return true
  return false
}

type Draft = { -readonly [Name in Field]?: CallRecord[Name] }

/**
 * A copy without some fields, which stay there as `undefined`: leaving them out by `delete`, or by copying the others
 * one by one, makes a record that is slow to read and to copy ever after.
 */
function copyOf(record: CallRecord, removed: readonly Field[] | undefined): Draft {
  const copy: Record<string, unknown> = { ...record }
  if (removed) for (const name of removed) if (copy[name] !== undefined) copy[name] = undefined
  return copy as Draft
}

/** Adds what is missing to a copy; a field that was removed is there, as `undefined`. */
function setInitial(draft: Record<string, unknown>, initial: Partial<CallRecord>): void {
  for (const name in initial) draft[name] ??= initial[name as Field]
}

/** The record of this id after the change; the old one is left as it is. No field is both set and removed. */
export function changed(id: string, record: CallRecord | undefined, change: Change): CallRecord {
  const { set, initial, increment, remove } = change
  const draft: Draft = record ? copyOf(record, remove) : { id }
  if (initial) setInitial(draft, initial)
  Object.assign(draft, set)
  if (increment) for (const name of increment) draft[name] = (draft[name] ?? 0) + 1
  return draft as CallRecord
}
