/**
 * The message body on the queue. It is self-sufficient: a worker can run the call of a message whose record was
 * never written.
 * @module
 */

import { parseJson } from '../codec/parse-json.ts'
import { LIMITS } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { MalformedMessageError } from '../errors.ts'
import { type ArgumentsFingerprint, isFingerprint } from '../ports/blobs.ts'
import { areHeaders, type Headers } from './headers.ts'
import { completeScheduled, type ScheduledMessage } from './scheduled-call.ts'

/** The version that this code writes, and the newest that it reads. */
export const ENVELOPE_VERSION = 1

/** One call as it travels. Times are epoch milliseconds. */
export interface Envelope {
  readonly v: typeof ENVELOPE_VERSION
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly payloadHash: string
  readonly createdAt: number
  readonly dueAt: number
  /** Its expiry: where no attempt has begun by then, none will. */
  readonly startBy?: number
  readonly tenant?: string
  readonly parent?: string
  readonly depth?: number
  /** Which send it is, absent being the first: each retry by hand is one more. */
  readonly sends?: number
  /** The task that gets the value: the sender's `then`. An object with a property of that name may be taken for a promise. */
  readonly onSucceeded?: string
  /** The task that gets the error: the sender's `catch`. */
  readonly onFailed?: string
  /** The version of the sender's code, where it was deployed with one; `v` is that of this format. */
  readonly version?: string
  /** What middleware sends along. */
  readonly headers?: Headers
  /** Arguments that no message can hold lie in a blob of this fingerprint, and not in \`args\`. Its key is made of the id. */
  readonly blob?: ArgumentsFingerprint
  /** The schedule whose run it is. */
  readonly schedule?: string
  /** Of a schedule's run: it does not begin while an earlier one goes. */
  readonly overlap?: 'skip'
}

/** An envelope as a worker reads it. */
export interface ReceivedEnvelope extends Envelope {
  /** The arguments, still the codec's data; `undefined` where they lie in a blob. */
  readonly args: unknown
}

/**
 * What must not stand in a body as it is. SQS refuses U+FFFE and U+FFFF; emulators of it refuse everything beyond
 * the basic plane as well, and JSON can escape that at no loss.
 */
const refusedBySqs = /[\uD800-\uDFFF\uFFFE\uFFFF]/
const everyRefused = new RegExp(refusedBySqs, 'g')

/**
 * The message body: `args` is the codec's JSON text, spliced in so that it is not quoted a second time; left out where
 * they lie in a blob.
 */
export function encodeEnvelope(envelope: Envelope | ScheduledMessage, args: string): string {
  if ('blob' in envelope && envelope.blob !== undefined) return JSON.stringify(envelope)
  const body = `${JSON.stringify(envelope).slice(0, -1)},"args":${args}}`
  if (!refusedBySqs.test(body)) return body
  return body.replaceAll(everyRefused, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)
}

/**
 * Reads a message body.
 * @throws MalformedMessageError where it is not an envelope, or is one of a newer version
 */
export function decodeEnvelope(body: string): ReceivedEnvelope {
  const value = parse(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`its body is ${Array.isArray(value) ? 'an array' : typeof value}`)
  }
  const fields = value as Record<string, unknown>
  if (fields.v !== ENVELOPE_VERSION) {
    throw malformed(
      `its version is ${fields.v === undefined ? 'missing' : showValue(fields.v)}, this worker reads ${ENVELOPE_VERSION}; ` +
        'deploy the workers before the clients',
    )
  }
  completeScheduled(fields)
  for (const name of requiredTexts) checkText(fields, name, true)
  for (const name of optionalTexts) checkText(fields, name, false)
  for (const name of times) {
    if (!isWhole(fields[name], LAST_DATE_MS)) throw malformed(`\`${name}\` is no time`)
  }
  if (fields.startBy !== undefined && !isWhole(fields.startBy, LAST_DATE_MS)) {
    throw malformed('`startBy` is no time')
  }
  for (const name of numbers) {
    if (fields[name] !== undefined && !isWhole(fields[name], Number.MAX_SAFE_INTEGER)) {
      throw malformed(`\`${name}\` is no number`)
    }
  }
  if (fields.version !== undefined && codeVersionOf(fields.version) === undefined) {
    throw malformed('`version` is no code version')
  }
  if (fields.headers !== undefined && !areHeaders(fields.headers)) throw malformed('`headers` are no headers')
  if (fields.overlap !== undefined && fields.overlap !== 'skip')
    throw malformed('`overlap` is no word of ours')
  checkFollowed(fields)
  checkArguments(fields)
  return fields as unknown as ReceivedEnvelope
}

/**
 * Whether a body is an envelope of a version that this code does not read yet: a newer worker will. Whatever a version
 * changes, its envelopes tell it by `v`, and their call by `id`.
 */
export function isOfNewerVersion(body: string): boolean {
  try {
    const fields = Object(parse(body)) as Record<string, unknown>
    if (!Object.hasOwn(fields, 'v') || !Object.hasOwn(fields, 'id')) return false
    const isNewer = Number.isSafeInteger(fields.v) && (fields.v as number) > ENVELOPE_VERSION
    return isNewer && typeof fields.id === 'string' && fields.id !== ''
  } catch {
    return false
  }
}

/** They are in the message, or in a blob, and never in both. */
function checkArguments(fields: Record<string, unknown>): void {
  const { blob } = fields
  if (blob === undefined) {
    if (!Object.hasOwn(fields, 'args')) throw malformed('it has no `args`')
  } else if (!isFingerprint(blob) || Object.hasOwn(fields, 'args')) {
    throw malformed('its `blob` is no fingerprint of arguments that lie elsewhere')
  }
}

/** The last moment that a `Date` can hold. */
const LAST_DATE_MS = 8.64e15

function isWhole(value: unknown, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
}

const requiredTexts = ['id', 'task', 'queue', 'payloadHash'] as const
const optionalTexts = ['tenant', 'parent', 'onSucceeded', 'onFailed', 'schedule'] as const
const times = ['createdAt', 'dueAt'] as const
const numbers = ['depth', 'sends'] as const

/** The characters that SQS takes in a `MessageGroupId`, which a tenant becomes. */
export const tenantForm = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/

const versionForm = /^[!-~]+$/

/**
 * A code version: 1 to 64 visible characters of ASCII. Anything else counts as none: it only tells people which
 * versions met, and is no reason not to run.
 */
export function codeVersionOf(value: unknown): string | undefined {
  const fits = typeof value === 'string' && value.length <= LIMITS.versionLength && versionForm.test(value)
  return fits ? value : undefined
}

/** Characters of an id that is followed: the follow-up's id is made of it, and is longer. */
const FOLLOWED_ID_LENGTH = 200

/** What the follow-up of this call could not be sent with is refused before anything runs. */
function checkFollowed({ tenant, id, onSucceeded, onFailed }: Record<string, unknown>): void {
  if (tenant !== undefined && !tenantForm.test(tenant as string)) throw malformed('`tenant` is no tenant')
  if (onSucceeded === undefined && onFailed === undefined) return
  if ((id as string).length > FOLLOWED_ID_LENGTH)
    throw malformed('`id` is too long for a call that is followed')
}

function parse(body: string): unknown {
  if (body.length > LIMITS.messageBytes) throw malformed(`its body has ${body.length} characters`)
  try {
    return parseJson(body)
  } catch (cause) {
    throw malformed('its body is not JSON', cause)
  }
}

function checkText(fields: Record<string, unknown>, name: string, required: boolean): void {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (value === undefined && !required) return
  if (typeof value !== 'string' || value === '' || value.length > 2 * LIMITS.nameLength) {
    throw malformed(`\`${name}\` is ${value === undefined ? 'missing' : 'no name'}`)
  }
}

function malformed(what: string, cause?: unknown): MalformedMessageError {
  return new MalformedMessageError(
    `a message is not an errand envelope: ${what}. Send through an executor or a client of this app`,
    cause === undefined ? undefined : { cause },
  )
}
