/**
 * What middleware sends along with a call, beside its arguments: the context of a trace, a language, a request's id. It
 * travels in the envelope, is no part of the payload's hash, and is there for each attempt and for what follows the call.
 * @module
 */
import { LIMITS } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { InvalidOptionError } from '../errors.ts'

/** Headers of a call, by lower-case name. */
export type Headers = Readonly<Record<string, string>>

/** The headers of a call that has none. */
export const NO_HEADERS: Headers = Object.freeze({})

const nameForm = /^[a-z0-9][a-z0-9_.-]{0,63}$/

/** Visible ASCII and spaces, as in HTTP: one byte each, and nothing that SQS refuses. */
const valueForm = /^[ -~]*$/

/**
 * The headers that middleware set; `undefined` where there are none.
 * @throws InvalidOptionError
 */
export function headersOf(given: unknown): Headers | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(
      `a middleware set \`call.headers\` to ${showValue(given)}, expected an object of texts by name`,
    )
  }
  const headers = Object.entries(given as Record<string, unknown>)
  for (const [name, value] of headers) {
    const refuse = (rule: string) => new InvalidOptionError(`the header ${showValue(name)} ${rule}`)
    if (!nameForm.test(name)) {
      throw refuse('is no name: 1 to 64 lower-case letters, digits, `_`, `.` and `-`, the first no sign')
    }
    if (typeof value !== 'string' || !valueForm.test(value)) {
      throw refuse(`is ${showValue(value)}, expected visible ASCII; encode it, by encodeURIComponent for one`)
    }
  }
  const length = lengthOf(headers as [string, string][])
  if (length > LIMITS.headersLength) {
    throw new InvalidOptionError(
      `the headers ${headers.map(([name]) => name).join(', ')} have ${length} characters, and all of a call's may have ${LIMITS.headersLength}; send what is large as an argument`,
    )
  }
  return headers.length === 0 ? undefined : Object.fromEntries(headers as [string, string][])
}

/** Whether a value that was received is what `headersOf` lets through. */
export function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const headers = Object.entries(value)
  const fit = headers.every(
    ([name, text]) => nameForm.test(name) && typeof text === 'string' && valueForm.test(text),
  )
  return fit && lengthOf(headers) <= LIMITS.headersLength
}

function lengthOf(headers: readonly (readonly [string, string])[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}
