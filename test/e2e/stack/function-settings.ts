/**
 * The functions of a template, and the mappings that give them the messages of queues.
 * @module
 */
import { resolveValue, type Scope } from './intrinsics.ts'
import { type Resource, resourcesOf, type Template } from './read-template.ts'

/** How one function is run. */
export interface FunctionSettings {
  readonly logicalId: string
  readonly name: string
  readonly functionArn: string
  /** `module.export` in the code's folder. */
  readonly handler: string
  readonly codeFolder: string
  readonly memoryMiB: number
  readonly timeoutSeconds: number
  readonly logFormat: string
  readonly logLevel: string
  /** The template's environment variables. */
  readonly variables: Readonly<Record<string, string>>
}

/** How a queue is mapped to a function. */
export interface MappingSettings {
  readonly queueArn: string
  /** The function's logical id. */
  readonly functionId: string
  readonly batchSize: number
  readonly batchWindowSeconds: number
  readonly maximumConcurrency: number
}

/** Lambda's defaults, where a template does not say. */
const DEFAULTS = { memoryMiB: 128, timeoutSeconds: 3, batchSize: 10 }

/** What a mapping without a maximum is given here: as many as this machine can bear. */
const UNBOUNDED = 4

interface FunctionProperties {
  readonly Handler: string
  readonly Runtime: string
  readonly MemorySize?: number
  readonly Timeout?: number
  readonly Code: { readonly S3Key: string }
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> }
  readonly LogFormat?: string
  readonly ApplicationLogLevel?: string
}

interface MappingProperties {
  readonly EventSourceArn: string
  readonly FunctionName: string
  readonly BatchSize?: number
  readonly MaximumBatchingWindowInSeconds?: number
  readonly FunctionResponseTypes?: readonly string[]
  readonly ScalingConfig?: { readonly MaximumConcurrency?: number }
  readonly Enabled?: boolean
}

/**
 * The functions that run the code of assets of this stack, by logical id. Those of CDK's own custom resources are left
 * out: they run while a stack is deployed.
 * @throws where one is not for Node 24
 */
export function functionsOf(template: Template, scope: Scope): ReadonlyMap<string, FunctionSettings> {
  const functions = resourcesOf(template, 'AWS::Lambda::Function').filter(
    ([id]) => !/^CustomResource|CustomResourceProvider/.test(id),
  )
  return new Map(functions.map(([id, resource]) => [id, settingsOf(template, scope, id, resource)]))
}

function settingsOf(template: Template, scope: Scope, id: string, resource: Resource): FunctionSettings {
  const { Handler, Runtime, MemorySize, Timeout, Code, Environment, LoggingConfig } =
    resource.Properties ?? {}
  // Only these: the role and the log group are not made, and nothing that runs here asks for them.
  const { LogFormat, ApplicationLogLevel } = (LoggingConfig ?? {}) as Record<string, unknown>
  const wanted = { Handler, Runtime, MemorySize, Timeout, Code, Environment, LogFormat, ApplicationLogLevel }
  const properties = resolveValue(wanted, scope) as FunctionProperties
  if (properties.Runtime !== 'nodejs24.x')
    throw new Error(`${id} runs on ${properties.Runtime}, not on Node 24`)
  return {
    logicalId: id,
    name: scope.references.get(id) ?? '',
    functionArn: scope.attributes.get(`${id}.Arn`) ?? '',
    handler: properties.Handler,
    codeFolder: template.assetFolder(properties.Code.S3Key),
    memoryMiB: properties.MemorySize ?? DEFAULTS.memoryMiB,
    timeoutSeconds: properties.Timeout ?? DEFAULTS.timeoutSeconds,
    logFormat: properties.LogFormat ?? 'Text',
    logLevel: properties.ApplicationLogLevel ?? '',
    variables: properties.Environment?.Variables ?? {},
  }
}

/**
 * The mappings that are switched on.
 * @throws where one does not report the failures of a batch one by one: everything here relies on it
 */
export function mappingsOf(template: Template, scope: Scope): readonly MappingSettings[] {
  const functionIds = new Map(
    resourcesOf(template, 'AWS::Lambda::Function').map(([id]) => [scope.references.get(id), id]),
  )
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping').flatMap(([id, resource]) => {
    const properties = resolveValue(resource.Properties ?? {}, scope) as MappingProperties
    if (properties.Enabled === false) return []
    if (!properties.FunctionResponseTypes?.includes('ReportBatchItemFailures')) {
      throw new Error(`${id} has no ReportBatchItemFailures`)
    }
    const name = properties.FunctionName.split(':').at(-1)
    return {
      queueArn: properties.EventSourceArn,
      functionId: functionIds.get(name) ?? '',
      batchSize: properties.BatchSize ?? DEFAULTS.batchSize,
      batchWindowSeconds: properties.MaximumBatchingWindowInSeconds ?? 0,
      maximumConcurrency: properties.ScalingConfig?.MaximumConcurrency ?? UNBOUNDED,
    }
  })
}
