/**
 * The fleet port on AWS: worker functions that are pinged by an invocation, and paused by their event source mappings.
 *
 * | method     | requests                                                                                                    |
 * | ---------- | ----------------------------------------------------------------------------------------------------------- |
 * | `ping`     | `Invoke` for each function                                                                                  |
 * | `paused`   | `GetEventSourceMapping` for each queue of each function                                                     |
 * | `holdings` | `GetQueueAttributes`, and one more for the dead-letter queue                                                |
 * | `pause`    | `GetEventSourceMapping` for each function that consumes the queue, `UpdateEventSourceMapping` where it is on |
 * | `purge`    | `PurgeQueue`                                                                                                |
 *
 * The mappings are known by their ids, and not looked for: `ListEventSourceMappings` can be granted on `*` alone.
 * @module
 */
import { ENV, type ResolvedConfig } from '../config/config.ts'
import { ErrandError, NotWiredError, ResourceNotFoundError } from '../errors.ts'
import type { Fleet, WorkerAnswer } from '../ports/fleet.ts'
import { parseReport, readReport } from '../ports/worker-report.ts'
import type { Lazy } from './aws-clients.ts'
import { awsErrorName, isDeploymentError, requesting } from './aws-error.ts'
import type { Invoked, LambdaConnection, SourceMapping } from './lambda-client.ts'
import { holdingsOf, purgeQueue, type QueueAccess } from './sqs-holdings.ts'

/** The function that a worker is. */
export interface WorkerFunction {
  /** Its name or ARN. */
  readonly name: string
  /** The UUIDs of its event source mappings, by the names of the queues. */
  readonly mappings: Readonly<Record<string, string>>
}

/** What the fleet is made of. */
export interface LambdaFleetOptions extends QueueAccess {
  readonly config: ResolvedConfig
  /** The functions by worker; `undefined` where they are not known here. A worker without one is a process. */
  readonly functions: Readonly<Record<string, WorkerFunction>> | undefined
  readonly lambda: Lazy<LambdaConnection>
}

/** The function of one worker. */
interface NamedFunction extends WorkerFunction {
  readonly worker: string
}

/** The workers of an app, on Lambda. */
export function lambdaFleet(options: LambdaFleetOptions): Fleet {
  const change = async (queue: string, isEnabled: boolean) => {
    const consumers = functionsOf(options).filter(({ worker }) =>
      options.config.workers.get(worker)?.queues.includes(queue),
    )
    // Looked for first: where one of them has none, nothing has been changed.
    const mappings = await Promise.all(consumers.map((each) => mappingOf(options, each, queue)))
    await Promise.all(mappings.map((mapping) => enable(options, mapping, queue, isEnabled)))
  }
  return {
    ping: async () => Promise.all(functionsOf(options).map((each) => ping(options, each))),
    paused: async () => {
      if (options.functions === undefined) return undefined
      return new Map(
        await Promise.all(
          functionsOf(options).map(async (each) => [each.worker, await pausedOf(options, each)] as const),
        ),
      )
    },
    holdings: (queue) => holdingsOf(options, queue),
    pause: (queue) => change(queue, false),
    resume: (queue) => change(queue, true),
    purge: (queue) => purgeQueue(options, queue),
  }
}

/** The functions of the config's workers, in its order. */
function functionsOf({ config, functions }: LambdaFleetOptions): readonly NamedFunction[] {
  if (functions === undefined) {
    throw new NotWiredError(
      `the functions of the workers of ${JSON.stringify(config.name)} are not known here: set ${ENV.functions}, a JSON object of them by worker (or the option \`functions\`); the construct sets it on clients made by \`fleet.addClient(fn, { inspect: true })\`. Where all workers are processes, say {}`,
    )
  }
  return [...config.workers.keys()].flatMap((worker) => {
    const found = Object.hasOwn(functions, worker) ? functions[worker] : undefined
    return found === undefined ? [] : [{ worker, ...found }]
  })
}

function resourceOf({ worker, name }: NamedFunction): string {
  return `function "${name}" of worker "${worker}"`
}

const PING = JSON.stringify({ errand: 'ping' })

async function ping({ lambda, config }: LambdaFleetOptions, each: NamedFunction): Promise<WorkerAnswer> {
  const { worker, name } = each
  const connection = await lambda.get()
  try {
    const request = { action: 'lambda:InvokeFunction', resource: resourceOf(each) }
    return answerOf(config, worker, await requesting(request, () => connection.invoke(name, PING)))
  } catch (error) {
    if (!isOfWorker(error)) throw error
    return { worker, error: (error as Error).message.slice(0, SHOWN_LENGTH) }
  }
}

/** How much of an error of a function is shown. */
const SHOWN_LENGTH = 500

/**
 * Whether a worker that does not answer is to blame: its function is gone, throttled, fails or hangs. Not where the
 * request was denied, or no answer came from AWS at all: then nothing is known of any worker.
 */
function isOfWorker(error: unknown): boolean {
  if (isDeploymentError(error)) return ResourceNotFoundError.is(error)
  const status = (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode
  if (status !== undefined) return status !== 401 && status !== 403
  return awsErrorName(error) === 'TimeoutError'
}

function answerOf({ name }: ResolvedConfig, worker: string, { payload, error }: Invoked): WorkerAnswer {
  const value = parseReport(payload)
  if (error !== undefined) {
    const message: unknown = Object(value).errorMessage
    const shown = typeof message === 'string' ? message.slice(0, SHOWN_LENGTH) : 'it said nothing'
    return { worker, error: `its function failed (${error}): ${shown}` }
  }
  const report = readReport(value)
  if (report?.app === name && report.worker === worker) return { worker, report }
  const who =
    report === undefined
      ? 'its function does not answer as a worker of errand does; deploy it with this version of errand'
      : `its function is worker ${JSON.stringify(report.worker)} of ${JSON.stringify(report.app)}; correct ${ENV.functions}`
  return { worker, error: who }
}

/** A mapping's queue is known by the last part of its ARN, which is the last part of its URL. */
function mapsTo({ queueUrls }: LambdaFleetOptions, { sourceArn }: SourceMapping, queue: string): boolean {
  const url = Object.hasOwn(queueUrls, queue) ? queueUrls[queue] : undefined
  return (
    url !== undefined &&
    sourceArn.slice(sourceArn.lastIndexOf(':')) === `:${url.slice(url.lastIndexOf('/') + 1)}`
  )
}

/** The mapping of a queue, as it is now; `undefined` where the function is said to have none. */
async function readMapping(
  { lambda }: LambdaFleetOptions,
  { worker, mappings }: NamedFunction,
  queue: string,
): Promise<SourceMapping | undefined> {
  const id = Object.hasOwn(mappings, queue) ? mappings[queue] : undefined
  if (id === undefined) return undefined
  const connection = await lambda.get()
  const resource = `${mappingName(id, queue)} of worker "${worker}"`
  return requesting({ action: 'lambda:GetEventSourceMapping', resource }, () => connection.mapping(id))
}

function mappingName(id: string, queue: string): string {
  return `event source mapping "${id}" of queue "${queue}"`
}

async function mappingOf(
  options: LambdaFleetOptions,
  each: NamedFunction,
  queue: string,
): Promise<SourceMapping> {
  const found = await readMapping(options, each, queue)
  if (found !== undefined && mapsTo(options, found, queue)) return found
  const other = found === undefined ? '' : ` (${JSON.stringify(found.id)} is of ${found.sourceArn})`
  throw new ResourceNotFoundError(
    `${resourceOf(each)} has no event source mapping of queue "${queue}" that is known here${other}, and the config has it consume that; deploy the stack, or correct ${ENV.functions}`,
  )
}

const isOff = ({ state }: SourceMapping) => state === 'Disabled' || state === 'Disabling'
const isOn = ({ state }: SourceMapping) => state === 'Enabled' || state === 'Enabling'

async function pausedOf(options: LambdaFleetOptions, each: NamedFunction): Promise<ReadonlySet<string>> {
  const { queues = [] } = options.config.workers.get(each.worker) ?? {}
  const off = await Promise.all(
    queues.map(async (queue) => {
      // Without a mapping nothing polls the queue either, but nobody paused it.
      const mapping = await readMapping(options, each, queue).catch((error: unknown) => {
        if (ResourceNotFoundError.is(error)) return undefined
        throw error
      })
      return mapping !== undefined && mapsTo(options, mapping, queue) && isOff(mapping)
    }),
  )
  return new Set(queues.filter((_, index) => off[index]))
}

async function enable(
  { lambda }: LambdaFleetOptions,
  mapping: SourceMapping,
  queue: string,
  isEnabled: boolean,
): Promise<void> {
  if (isEnabled ? isOn(mapping) : isOff(mapping)) return
  const connection = await lambda.get()
  const resource = mappingName(mapping.id, queue)
  try {
    const request = { action: 'lambda:UpdateEventSourceMapping', resource }
    await requesting(request, () => connection.setEnabled(mapping.id, isEnabled))
  } catch (cause) {
    if (awsErrorName(cause) !== 'ResourceInUseException') throw cause
    throw new ErrandError(
      `${resource} is being changed at this moment (${mapping.state}); ${isEnabled ? 'resume' : 'pause'} the queue again in a minute`,
      { cause },
    )
  }
}
