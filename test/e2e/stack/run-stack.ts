/**
 * A synthesised stack, executed: its queues and table on wire servers, its functions under AWS's runtime client, its
 * mappings polling.
 * @module
 */
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { EventSourceMapping } from 'errand/local-emulator'
import { type CloudWatchApi, startCloudWatchApi } from '../../support/cloudwatch-api.ts'
import { startDynamoDbLocal } from '../../support/dynamodb-local.ts'
import { startFauxqs } from '../../support/fauxqs.ts'
import { type LambdaApi, startLambdaApi } from '../../support/lambda-api.ts'
import { connectionTo, loopbackCredentials, loopbackRegion } from '../../support/loopback-connection.ts'
import { mapQueue } from './event-source-mapping.ts'
import { type FunctionSettings, functionsOf, type MappingSettings, mappingsOf } from './function-settings.ts'
import type { Scope } from './intrinsics.ts'
import { type StackFunction, stackFunction } from './lambda-function.ts'
import { makeResources, type Wire } from './make-resources.ts'
import { readTemplate, type Template } from './read-template.ts'

/** A stack that runs. */
export interface RunningStack {
  readonly wire: Wire
  readonly sqs: SQSClient
  /** Has no metrics but those that it is given: the lines that functions have written. */
  readonly cloudwatch: CloudWatchApi
  /** The one function that is set up so. */
  function(isWanted: (settings: FunctionSettings) => boolean): StackFunction
  /** Messages of a queue: visible, received, and delayed. */
  messages(queueUrl: string): Promise<number>
  /** Why invocations by mappings failed as a whole. */
  readonly failures: readonly Error[]
  /** Why invocations failed, and the last lines of each function. */
  report(): string
  /** Stops the polling of a queue, and resolves when the invocations that run have ended; calling the result goes on. */
  pause(queueUrl: string): Promise<() => void>
  /** Deploys another synthesis of the same stack: its functions change, its queues and tables stay. */
  deploy(folder: string): Promise<void>
  close(): Promise<void>
}

interface State {
  template: Template
  readonly wire: Wire
  readonly sqs: SQSClient
  readonly cloudwatch: CloudWatchApi
  readonly lambda: LambdaApi
  readonly scope: Scope
  readonly functions: ReadonlyMap<string, StackFunction>
  /** By the queue's URL: workers may share a queue. */
  readonly mappings: Map<string, EventSourceMapping[]>
  readonly failures: Error[]
}

/** Makes and starts everything in a `cdk.out`; needs Java. */
export async function runStack(folder: string): Promise<RunningStack> {
  const template = readTemplate(folder)
  const dynamodb = await startDynamoDbLocal()
  if (dynamodb === undefined) throw new Error('the stack needs DynamoDB Local, and it needs Java 17')
  const wire = { dynamodb, sqs: await startFauxqs() }
  const closeWire = () => Promise.all([wire.sqs.close(), wire.dynamodb.close()])
  const scope = await makeResources(template, wire).catch(async (error: unknown) => {
    await closeWire()
    throw error
  })
  const settings = [...functionsOf(template, scope).values()]
  const functions = new Map<string, StackFunction>()
  const lambda = await startLambdaApi(invocable(settings, functions))
  const cloudwatch = await startCloudWatchApi()
  const variables = {
    AWS_REGION: loopbackRegion,
    AWS_ACCESS_KEY_ID: loopbackCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: loopbackCredentials.secretAccessKey,
    AWS_ENDPOINT_URL_SQS: wire.sqs.endpoint,
    AWS_ENDPOINT_URL_S3: wire.sqs.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: wire.dynamodb.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
    AWS_ENDPOINT_URL_CLOUDWATCH: cloudwatch.endpoint,
  }
  for (const each of settings) functions.set(each.logicalId, stackFunction(each, variables))
  const state: State = {
    template,
    wire,
    sqs: new SQSClient({ region: loopbackRegion, ...connectionTo(wire.sqs) }),
    scope,
    ...{ functions, lambda, cloudwatch },
    mappings: new Map(),
    failures: [],
  }
  for (const mapping of mappingsOf(template, scope)) startMapping(state, mapping)
  return stackOf(state)
}

/** The functions as Lambda's API invokes them, by name. */
function invocable(settings: readonly FunctionSettings[], functions: ReadonlyMap<string, StackFunction>) {
  return Object.fromEntries(
    settings.map(({ name, logicalId }) => {
      const handler = async (event: unknown) => {
        const result = await functions.get(logicalId)?.invoke(event)
        if (result?.ok) return result.payload
        throw result?.error ?? new Error(`no function ${name}`)
      }
      return [name, { handler, sources: [] }]
    }),
  )
}

function stackOf(state: State): RunningStack {
  const { wire, sqs, failures, cloudwatch } = state
  return {
    wire,
    sqs,
    cloudwatch,
    failures,
    function: (isWanted) => functionOf(state, isWanted),
    messages: (queueUrl) => countMessages(sqs, queueUrl),
    report: () => reportOf(state),
    pause: (queueUrl) => pause(state, queueUrl),
    deploy: (folder) => deploy(state, folder),
    close: () => close(state),
  }
}

function startMapping(state: State, settings: MappingSettings): void {
  const { functions, mappings, failures, sqs } = state
  const mapped = functions.get(settings.functionId)
  const queueUrl = urlOfArn(state, settings.queueArn)
  if (mapped === undefined) throw new Error(`a mapping names no function: ${JSON.stringify(settings)}`)
  const mapping = mapQueue({
    sqs,
    queueUrl,
    settings,
    invoke: (event) => mapped.invoke(event),
    onError: (error) => failures.push(error),
  })
  mappings.set(queueUrl, [...(mappings.get(queueUrl) ?? []), mapping])
}

function urlOfArn({ scope }: State, arn: string): string {
  const [key = ''] =
    [...scope.attributes].find(([name, value]) => name.endsWith('.Arn') && value === arn) ?? []
  return scope.references.get(key.slice(0, -'.Arn'.length)) ?? ''
}

function functionOf({ functions }: State, isWanted: (settings: FunctionSettings) => boolean): StackFunction {
  const found = [...functions.values()].filter((each) => isWanted(each.settings()))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  throw new Error(`${found.length} functions are set up so, of ${[...functions.keys()].join(', ')}`)
}

async function countMessages(sqs: SQSClient, queueUrl: string): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: queueUrl,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ],
    }),
  )
  return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0)
}

function reportOf({ failures, functions }: State): string {
  const lines = [...functions].flatMap(([id, { lines }]) => [`${id}:`, ...lines.slice(-10)])
  return [...failures.map(String), ...lines].join('\n')
}

async function pause(state: State, queueUrl: string): Promise<() => void> {
  const settings = mappingsOf(state.template, state.scope).filter(
    ({ queueArn }) => urlOfArn(state, queueArn) === queueUrl,
  )
  if (settings.length === 0) throw new Error(`no mapping of ${queueUrl}`)
  const polling = state.mappings.get(queueUrl) ?? []
  state.mappings.delete(queueUrl)
  await Promise.all(polling.map((mapping) => mapping.stop()))
  return () => {
    for (const each of settings) startMapping(state, each)
  }
}

async function deploy(state: State, folder: string): Promise<void> {
  state.template = readTemplate(folder)
  const changed = functionsOf(state.template, state.scope)
  await Promise.all(
    [...state.functions].map(async ([id, each]) => {
      const settings = changed.get(id)
      if (settings !== undefined) await each.update(settings)
    }),
  )
}

async function close({ functions, mappings, sqs, wire, lambda, cloudwatch }: State): Promise<void> {
  const stopped = [...mappings.values()].flat().map((mapping) => mapping.stop())
  // Killed first: an invocation that never ends would be waited for.
  await Promise.all([...functions.values()].map((each) => each.close()))
  await Promise.all(stopped)
  sqs.destroy()
  await Promise.all([wire.sqs.close(), wire.dynamodb.close(), lambda.close(), cloudwatch.close()])
}
