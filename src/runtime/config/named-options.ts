/**
 * Queues and workers as a config declares them: by names alone, or with options.
 * @module
 */
import { InvalidOptionError } from '../errors.ts'
import { showValue } from './nearest-name.ts'
import { checkName } from './option-checks.ts'

const resourceName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const resourceRule = 'a name of 1–64 letters, digits, `-` and `_`, beginning with a letter or digit'

/**
 * Names or an options object, as a map in order.
 * @throws InvalidOptionError
 */
export function namedOptions<Options>(what: string, value: unknown): Map<string, Options> {
  const isList = Array.isArray(value)
  if (!isList && (typeof value !== 'object' || value === null)) {
    throw new InvalidOptionError(
      `config \`${what}\` is ${showValue(value)}, expected names, or options by name`,
    )
  }
  const entries = isList ? value.map((name) => [name, {}] as const) : Object.entries(value as object)
  if (entries.length === 0) {
    throw new InvalidOptionError(`config \`${what}\` is empty; name at least one, or leave the option out`)
  }
  const named = new Map<string, Options>()
  for (const [name, options] of entries) {
    const where = `config \`${what}\`: the name`
    checkName(where, name, resourceName, resourceRule)
    if (named.has(name))
      throw new InvalidOptionError(`config \`${what}\` names ${JSON.stringify(name)} twice`)
    named.set(name, options as Options)
  }
  return named
}
