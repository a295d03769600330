/**
 * What a fault proxy may do to a request, and who decides: a plan.
 * @module
 */
import { seededFractions } from './seeded-fractions.ts'

/** The services that a proxy speaks for: their errors differ. */
export type Service = 'sqs' | 'dynamodb'

/** One request, as the proxy has read it. */
export interface ProxiedRequest {
  readonly service: Service
  /** As `X-Amz-Target` names it, without the service: `PutItem`. */
  readonly action: string
  readonly body: string
  /** The SDK's own number of this try, from 1. */
  readonly attempt: number
}

/** An error that the service itself would answer with. */
export interface ErrorAnswer {
  readonly status: number
  /** The error's name, with the namespace of its shape. */
  readonly type: string
  readonly message: string
}

/** What becomes of one request. */
export type Fault =
  /** The connection is closed before the server sees the request. */
  | { readonly kind: 'lost-request' }
  /** The server has answered, and the connection is closed instead of passing the answer on. */
  | { readonly kind: 'lost-response' }
  /** The service refuses for now; nothing is done. */
  | { readonly kind: 'throttle'; readonly answer: ErrorAnswer }
  /** The service fails; with `isDone` after it has done what was asked. */
  | { readonly kind: 'error'; readonly answer: ErrorAnswer; readonly isDone: boolean }
  /** The service refuses for good; nothing is done. */
  | { readonly kind: 'refusal'; readonly answer: ErrorAnswer }
  /** The answer is held back for so long. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Entries of an SQS batch fail, by their ids; the others are done. */
  | { readonly kind: 'partial'; readonly failed: readonly PartialFailure[] }

/** One entry that fails. */
export interface PartialFailure {
  readonly id: string
  readonly senderFault: boolean
  readonly code: string
}

/** Decides over one request; `undefined` lets it pass. */
export type FaultPlan = (request: ProxiedRequest) => Fault | undefined

/** The shares of requests that fail, each from 0 to 1. */
export interface FaultRates {
  readonly lostRequests?: number
  readonly lostResponses?: number
  readonly throttles?: number
  readonly errors?: number
  readonly slow?: number
}

const throttles: Readonly<Record<Service, readonly ErrorAnswer[]>> = {
  dynamodb: [
    {
      status: 400,
      type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
      message: 'The level of configured provisioned throughput for the table was exceeded.',
    },
    {
      status: 400,
      type: 'com.amazon.coral.availability#ThrottlingException',
      message: 'Rate of requests exceeds the allowed throughput.',
    },
  ],
  sqs: [
    { status: 400, type: 'com.amazonaws.sqs#RequestThrottled', message: 'The request was denied.' },
    { status: 400, type: 'com.amazon.coral.availability#ThrottlingException', message: 'Rate exceeded' },
  ],
}

const errors: Readonly<Record<Service, readonly ErrorAnswer[]>> = {
  dynamodb: [
    {
      status: 500,
      type: 'com.amazonaws.dynamodb.v20120810#InternalServerError',
      message: 'The request could not be processed because of an internal server error.',
    },
    { status: 503, type: 'com.amazon.coral.service#ServiceUnavailableException', message: 'Unavailable' },
  ],
  sqs: [
    { status: 500, type: 'com.amazonaws.sqs#InternalFailure', message: 'An internal failure.' },
    { status: 503, type: 'com.amazonaws.sqs#ServiceUnavailable', message: 'Unavailable' },
  ],
}

/** The answer of a throttled service; `choice` from 0 to 1 picks one of those it has. */
export function throttleAnswer(service: Service, choice = 0): ErrorAnswer {
  return pick(throttles[service], choice)
}

function pick<T>(list: readonly T[], choice: number): T {
  return list[Math.floor(choice * list.length)] as T
}

const SLOWEST_MS = 300

/** A plan that fails these shares of all requests, by the numbers of a seed. */
export function faultsAtRates(seed: number, rates: FaultRates): FaultPlan {
  const fraction = seededFractions(seed)
  const {
    lostRequests = 0,
    lostResponses = 0,
    throttles: throttled = 0,
    errors: failing = 0,
    slow = 0,
  } = rates
  return ({ service }) => {
    let left = fraction()
    const choice = fraction()
    const falls = (rate: number) => {
      left -= rate
      return left < 0
    }
    if (falls(lostRequests)) return { kind: 'lost-request' }
    if (falls(lostResponses)) return { kind: 'lost-response' }
    if (falls(throttled)) return { kind: 'throttle', answer: throttleAnswer(service, choice) }
    // Half of a service's own failures come after the work: nobody can tell them from the others.
    if (falls(failing))
      return { kind: 'error', answer: pick(errors[service], choice), isDone: fraction() < 0.5 }
    if (falls(slow)) return { kind: 'slow', delayMs: choice * SLOWEST_MS }
    return undefined
  }
}

/** Lets everything pass. */
export const noFaults: FaultPlan = () => undefined
