/**
 * The Lambda client. `@aws-sdk/client-lambda` is an optional peer: it is loaded when somebody first asks for the workers,
 * and never by a worker.
 * @module
 */
import type * as LambdaSdk from '@aws-sdk/client-lambda'
import { NotWiredError } from '../errors.ts'
import {
  clientConfig,
  type Environment,
  type Lazy,
  lazily,
  type PeerOptions,
  requestHandler,
} from './aws-clients.ts'

/** How to reach Lambda. */
export type LambdaOptions = PeerOptions

/** What a function answered. */
export interface Invoked {
  /** As JSON; empty where it answered nothing. */
  readonly payload: string
  /** Set where the function failed: `Unhandled`. */
  readonly error?: string
}

/** An event source mapping of a function. */
export interface SourceMapping {
  /** Its UUID. */
  readonly id: string
  /** The ARN of the queue. */
  readonly sourceArn: string
  /** `Enabled`, `Disabled`, or on the way to another. */
  readonly state: string
}

/** Lambda, connected: the three requests that are made of it. */
export interface LambdaConnection {
  invoke(functionName: string, payload: string): Promise<Invoked>
  mapping(id: string): Promise<SourceMapping>
  setEnabled(id: string, isEnabled: boolean): Promise<void>
}

/** A cold start is waited for. */
const timeouts = { requestTimeout: 15_000 }

/** Who looks wants to know soon that somebody does not answer. */
const MAX_ATTEMPTS = 2

/** The Lambda client, not yet made. */
export function lazyLambda(
  options: LambdaOptions,
  env: Environment,
  region?: string,
): Lazy<LambdaConnection> {
  const given = options.client as LambdaSdk.LambdaClient | undefined
  const connection = lazily(loadSdk, given, (sdk) => {
    const config = clientConfig('LAMBDA', options, env, region)
    const handler = { ...requestHandler, ...timeouts }
    return new sdk.LambdaClient({ ...config, maxAttempts: MAX_ATTEMPTS, requestHandler: handler })
  })
  return {
    async get() {
      const { client, sdk } = await connection.get()
      return {
        async invoke(functionName, payload) {
          const answer = await client.send(
            new sdk.InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(payload) }),
          )
          const { FunctionError, Payload } = answer
          const text = Payload === undefined ? '' : Buffer.from(Payload).toString()
          return { payload: text, ...(FunctionError !== undefined && { error: FunctionError }) }
        },
        async mapping(id) {
          const { EventSourceArn = '', State = '' } = await client.send(
            new sdk.GetEventSourceMappingCommand({ UUID: id }),
          )
          return { id, sourceArn: EventSourceArn, state: State }
        },
        async setEnabled(id, isEnabled) {
          await client.send(new sdk.UpdateEventSourceMappingCommand({ UUID: id, Enabled: isEnabled }))
        },
      }
    },
    close: connection.close,
  }
}

/** Literal, so that bundlers see it; with a `catch`, so that they do not insist on it. */
function loadSdk(): Promise<typeof LambdaSdk> {
  return import('@aws-sdk/client-lambda').catch((cause: unknown) => {
    throw new NotWiredError(
      'to ask for the workers the package @aws-sdk/client-lambda is needed, and cannot be loaded (see cause): `npm i @aws-sdk/client-lambda`',
      { cause },
    )
  })
}
