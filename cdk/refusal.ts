/**
 * How the construct refuses: where, what, the value, the rule, the fix.
 * @module
 */
import type { IConstruct } from 'constructs'
import { suggestName } from '../src/runtime/config/nearest-name.ts'
import { InvalidOptionError } from '../src/runtime/errors.ts'

/** The error to throw for what a construct was given. */
export function refusal(scope: IConstruct, message: string): InvalidOptionError {
  return new InvalidOptionError(`${scope.node.path}: ${message}`)
}

/**
 * The value of this name.
 * @throws InvalidOptionError where there is none, with the nearest name
 */
export function declared<Value>(
  scope: IConstruct,
  what: string,
  name: string,
  values: ReadonlyMap<string, Value>,
): Value {
  const value = values.get(name)
  if (value !== undefined) return value
  throw refusal(scope, `${what} ${JSON.stringify(name)} is not declared; ${suggestName(name, values.keys())}`)
}
