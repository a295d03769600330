/**
 * The SDK's clients, made when first needed. Loading and making one takes most of a worker's cold start (65 ms
 * each, measured), so a process that never uses a service never loads its client.
 * @module
 */
import type { Readable } from 'node:stream'
import type * as DynamoDbSdk from '@aws-sdk/client-dynamodb'
import type * as SqsSdk from '@aws-sdk/client-sqs'
import { inSlots, MAX_SOCKETS } from './request-slots.ts'

/** How to reach one service. */
export interface ServiceOptions<Client, Credentials> {
  /** A ready-made client: region, endpoint and retries are its own, and `close` leaves it open. */
  readonly client?: Client
  /** @default `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_DYNAMODB`, and so on for each service, else `AWS_ENDPOINT_URL`, else AWS's own */
  readonly endpoint?: string
  /** @default the SDK's own chain: variables, shared files, the role */
  readonly credentials?: Credentials
}

/** How to reach SQS. */
export type SqsOptions = ServiceOptions<SqsSdk.SQSClient, NonNullable<SqsSdk.SQSClientConfig['credentials']>>

/** How to reach DynamoDB. */
export type DynamoDbOptions = ServiceOptions<
  DynamoDbSdk.DynamoDBClient,
  NonNullable<DynamoDbSdk.DynamoDBClientConfig['credentials']>
>

/**
 * A client of a package that is an optional peer, by the part of it that is used: no exported type may name the SDK's own,
 * which a consumer may not have.
 */
export interface PeerClient {
  send(command: never): Promise<unknown>
  destroy(): void
}

/** How to reach a service whose client is an optional peer. */
export type PeerOptions = ServiceOptions<PeerClient, NonNullable<SqsOptions['credentials']>>

/** A client, with the module that its commands come from. */
export interface Connection<Client, Sdk> {
  readonly client: Client
  readonly sdk: Sdk
}

/** SQS, connected. */
export type SqsConnection = Connection<SqsSdk.SQSClient, typeof SqsSdk>

/** DynamoDB, connected. */
export type DynamoDbConnection = Connection<DynamoDbSdk.DynamoDBClient, typeof DynamoDbSdk>

/** A connection that is made once, at the first `get`. */
export interface Lazy<C> {
  get(): Promise<C>
  /** Frees the sockets of a client that was made here; one that was never made, or came from outside, is left alone. */
  close(): Promise<void>
}

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A service, as the SDK's variables name it. */
export type Service =
  | 'SQS'
  | 'DYNAMODB'
  | 'S3'
  | 'LAMBDA'
  | 'SCHEDULER'
  | 'CLOUDFORMATION'
  | 'CLOUDWATCH'
  | 'SECRETS_MANAGER'

/** How long one request may take, in milliseconds; a receive that waits is given its wait on top. */
export const REQUEST_TIMEOUT_MS = 5000

/**
 * How long a client waits. The SDK's own limits are minutes: one hung socket would eat the invocation.
 * `requestTimeout` alone only warns.
 */
export const requestHandler = {
  connectionTimeout: 1000,
  requestTimeout: REQUEST_TIMEOUT_MS,
  throwOnRequestTimeout: true,
  httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
  httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
}

/**
 * The endpoint to give the SDK explicitly, `undefined` for AWS's own. Left to read the variables itself, the SQS
 * client sends each request to the host of the queue's URL instead, which an emulator's often does not resolve.
 */
export function endpointOf(service: Service, env: Environment, endpoint?: string): string | undefined {
  return endpoint ?? (env[`AWS_ENDPOINT_URL_${service}`] || env.AWS_ENDPOINT_URL || undefined)
}

/** The region, `undefined` where only the SDK's own sources (shared files) can tell. */
export function regionOf(env: Environment, region?: string): string | undefined {
  return region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined)
}

/**
 * Reads a response. The SDK's own asks first whether it is a web stream, and Node loads those when they are named: 2 ms of
 * a cold start.
 */
export function collectBody(stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    stream.on('end', () => resolve(Buffer.concat(chunks)))
    stream.on('error', reject)
  })
}

/** What a client is made with. */
export interface ClientConfig<Credentials> {
  readonly requestHandler: typeof requestHandler
  readonly streamCollector: typeof collectBody
  readonly region?: string
  readonly endpoint?: string
  readonly credentials?: Credentials
}

/** The settings of one service's client, from its options, the variables and the app's region. */
export function clientConfig<Client, Credentials>(
  service: Service,
  options: ServiceOptions<Client, Credentials>,
  env: Environment,
  region?: string,
): ClientConfig<Credentials> {
  const ownRegion = regionOf(env, region)
  const endpoint = endpointOf(service, env, options.endpoint)
  const { credentials } = options
  return {
    requestHandler,
    streamCollector: collectBody,
    ...(ownRegion !== undefined && { region: ownRegion }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  }
}

/** A connection over a client that was `given`, or is made with the module that `load` loads. */
export function lazily<Client extends { destroy(): void }, Sdk>(
  load: () => Promise<Sdk>,
  given: Client | undefined,
  make: (sdk: Sdk) => Client,
): Lazy<Connection<Client, Sdk>> {
  let connection: Promise<Connection<Client, Sdk>> | undefined
  return {
    get() {
      connection ??= load().then((sdk) => ({ sdk, client: given ?? make(sdk) }))
      return connection
    },
    async close() {
      // One that could not be made has nothing to free.
      if (given === undefined) (await connection?.catch(() => undefined))?.client.destroy()
      connection = undefined
    },
  }
}

/** Has the SDK put its middlewares in order once for each command, and not for each request. */
const cached = { cacheMiddleware: true } as const

/**
 * Without the middleware that copies every request and answer for a logger that ours do not have. It and the order are
 * 75 of the 260 µs that the SDK computes for a request (measured), which are most of what a busy worker computes at all.
 */
function withoutLogger<Client extends { readonly middlewareStack: { remove(name: string): boolean } }>(
  client: Client,
): Client {
  client.middlewareStack.remove('loggerMiddleware')
  return client
}

/** The SQS client, not yet made. */
export function lazySqs(options: SqsOptions, env: Environment, region?: string): Lazy<SqsConnection> {
  return lazily(
    () => import('@aws-sdk/client-sqs'),
    options.client,
    (sdk) => {
      // The SDK checks the digests after the message was taken: a mismatch throws, and whoever sends again
      // sends a duplicate. TLS guards the bytes already.
      const config = { ...clientConfig('SQS', options, env, region), ...cached, md5: false as const }
      return inSlots(withoutLogger(new sdk.SQSClient(config)))
    },
  )
}

/** The DynamoDB client, not yet made. */
export function lazyDynamoDb(
  options: DynamoDbOptions,
  env: Environment,
  region?: string,
): Lazy<DynamoDbConnection> {
  return lazily(
    () => import('@aws-sdk/client-dynamodb'),
    options.client,
    (sdk) => {
      const config = { ...clientConfig('DYNAMODB', options, env, region), ...cached }
      return inSlots(withoutLogger(new sdk.DynamoDBClient(config)))
    },
  )
}
