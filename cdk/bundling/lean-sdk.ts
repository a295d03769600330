/**
 * What of the AWS SDK no worker runs is left out of its bundle: bytes that every cold start would read.
 *
 * - Of the clients that errand itself loads: commands it does not send, with their schemas. A task that imports a
 *   client has all of it.
 * - Sources of credentials that Lambda has not: profiles, single sign-on, login, other processes, web identity, EC2's
 *   metadata. What stays are the variables, which is where Lambda puts them, and the container's endpoint.
 *   `@aws-sdk/credential-providers`, for a task that assumes a role, is whole.
 * - The shared files of settings, where no variable names one; `mnemonist`, whose cache is a `Map` here.
 * - `bowser`, which reads the user agents of browsers, and the descriptions in the SDK's package.json files.
 * @module
 */
import { readFile } from 'node:fs/promises'
import type { BuildFailure, OnLoadResult, Plugin, PluginBuild } from 'esbuild'
import { importEager } from './eager-chunk.ts'
import { isOfErrand } from './errand-files.ts'

/** What errand uses of each client. A test holds it against the sources. */
export const usedOfSdk: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-dynamodb': [
    'BatchGetItemCommand',
    'DynamoDBClient',
    'GetItemCommand',
    'PutItemCommand',
    'QueryCommand',
    'UpdateItemCommand',
  ],
  '@aws-sdk/client-cloudwatch': ['CloudWatchClient', 'GetMetricDataCommand'],
  '@aws-sdk/client-lambda': [
    'GetEventSourceMappingCommand',
    'InvokeCommand',
    'LambdaClient',
    'UpdateEventSourceMappingCommand',
  ],
  '@aws-sdk/client-s3': ['GetObjectCommand', 'PutObjectCommand', 'S3Client'],
  '@aws-sdk/client-scheduler': [
    'CreateScheduleCommand',
    'DeleteScheduleCommand',
    'GetScheduleCommand',
    'SchedulerClient',
    'UpdateScheduleCommand',
  ],
  '@aws-sdk/client-secrets-manager': ['GetSecretValueCommand', 'SecretsManagerClient'],
  '@aws-sdk/client-sqs': [
    'ChangeMessageVisibilityBatchCommand',
    'DeleteMessageBatchCommand',
    'GetQueueAttributesCommand',
    'PurgeQueueCommand',
    'ReceiveMessageCommand',
    'SQSClient',
    'SendMessageBatchCommand',
  ],
}

const notOnLambda = [
  importEager,
  "const absent = () => async () => { throw Object.assign(new Error('left out of the worker bundle: Lambda has no such source of credentials'), { tryNextLink: true }) }",
  'export { absent as fromSSO, absent as fromIni, absent as fromProcess, absent as fromTokenFile }',
  'export { absent as fromContainerMetadata, absent as fromInstanceMetadata }',
  "export const ENV_CMDS_FULL_URI = 'AWS_CONTAINER_CREDENTIALS_FULL_URI'",
  "export const ENV_CMDS_RELATIVE_URI = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'",
].join('\n')

const ofErrand = /[\\/]runtime[\\/]aws[\\/][\w-]+\.[jt]s$/
const ofSdk = /[\\/]@aws-sdk[\\/]/
const ofChain = /[\\/]@aws-sdk[\\/]credential-provider-node[\\/]/

/** How lean the SDK is made. */
export interface LeanOptions {
  /** Clients that are in the bundle beside those that every call needs, where they are installed. */
  readonly clients: readonly string[]
  /** Whether the sources of credentials stay that Lambda has not. */
  readonly hasAllSources: boolean
}

/** Leaves out of the SDK what no worker runs. */
export function leanSdk({ clients, hasAllSources }: LeanOptions): Plugin {
  return {
    name: 'lean-sdk',
    setup(build) {
      takeUsedClients(build, clients)
      if (!hasAllSources) leaveSources(build)
      leaveSharedFiles(build)
      build.onResolve({ filter: /^mnemonist\/lru-cache$/ }, ({ path, importer }) => {
        return ofSdk.test(importer) ? { path, namespace: 'lru-cache', sideEffects: false } : undefined
      })
      build.onLoad({ filter: /./, namespace: 'lru-cache' }, () => ({ contents: lruCache }))
      build.onResolve({ filter: /^bowser$/ }, ({ path, importer }) => {
        return ofSdk.test(importer) ? { path, namespace: 'empty', sideEffects: false } : undefined
      })
      build.onLoad({ filter: /./, namespace: 'empty' }, () => ({
        contents: `${importEager}\nexport default {}`,
      }))
      build.onLoad({ filter: /[\\/]@aws-sdk[\\/][\w-]+[\\/]package\.json$/ }, async ({ path }) => {
        const { name, version } = JSON.parse(await readFile(path, 'utf8'))
        return { contents: JSON.stringify({ name, version }), loader: 'json' }
      })
    },
  }
}

const always: readonly string[] = ['@aws-sdk/client-dynamodb', '@aws-sdk/client-sqs']

function takeUsedClients(build: PluginBuild, clients: readonly string[]): void {
  const isOurs = isOfErrand(build)
  build.onResolve(
    { filter: /^@aws-sdk\/client-(cloudwatch|dynamodb|lambda|s3|scheduler|secrets-manager|sqs)$/ },
    async ({ path, kind, importer, resolveDir }) => {
      if (kind !== 'dynamic-import' || !ofErrand.test(importer) || !(await isOurs(importer))) return undefined
      if (!always.includes(path)) {
        const found = clients.includes(path)
          ? await build.resolve(path, { kind: 'import-statement', resolveDir })
          : undefined
        // Lambda's own copy is then what is found: a task that asks how the workers are is rare.
        if (found === undefined || found.errors.length > 0) return { path, external: true }
      }
      return { path, namespace: 'used-of-sdk', pluginData: resolveDir, sideEffects: false }
    },
  )
  build.onLoad({ filter: /./, namespace: 'used-of-sdk' }, ({ path, pluginData }): OnLoadResult => {
    const names = usedOfSdk[path] ?? []
    const contents = `${importEager}\nexport { ${names.join(', ')} } from ${JSON.stringify(path)}`
    return { contents, resolveDir: pluginData as string }
  })
}

/** Whether a build failed since the SDK, a newer one perhaps, takes more from those sources than is left in their place. */
export function needsAllSources(error: unknown): boolean {
  const { errors = [] } = error as Partial<BuildFailure>
  return errors.some(({ text }) => text.includes(`"${NOT_ON_LAMBDA}:`))
}

const NOT_ON_LAMBDA = 'not-on-lambda'

function leaveSources(build: PluginBuild): void {
  const left =
    /^(@aws-sdk\/credential-provider-(sso|ini|process|web-identity)|@smithy\/credential-provider-imds)$/
  build.onResolve({ filter: left }, ({ importer }) => {
    if (!ofChain.test(importer)) return undefined
    return { path: 'credentials', namespace: NOT_ON_LAMBDA, sideEffects: false }
  })
  build.onLoad({ filter: /./, namespace: NOT_ON_LAMBDA }, () => ({ contents: notOnLambda }))
}

/** What the SDK uses of `mnemonist/lru-cache`, as a `Map` does it: every DynamoDB client makes one, and asks it nothing. */
const lruCache = [
  'export default class LRUCache {',
  '  constructor(capacity) { this.capacity = capacity; this.items = new Map() }',
  '  has(key) { return this.items.has(key) }',
  '  peek(key) { return this.items.get(key) }',
  '  get(key) { const value = this.items.get(key); if (this.items.delete(key)) this.items.set(key, value); return value }',
  '  set(key, value) {',
  '    this.items.delete(key); this.items.set(key, value)',
  '    if (this.items.size > this.capacity) this.items.delete(this.items.keys().next().value)',
  '  }',
  '  clear() { this.items.clear() }',
  '}',
].join('\n')

const SHARED_FILES = 'shared-files'

/** Of an app without such files: a client looks for both at its first request, and again for each of its settings. */
function leaveSharedFiles(build: PluginBuild): void {
  const filter = /^\.\.\/shared-ini-file-loader\/loadSharedConfigFiles$/
  build.onResolve({ filter }, ({ path, namespace, resolveDir }) => {
    if (namespace === SHARED_FILES || !/[\\/]@smithy[\\/]/.test(resolveDir)) return undefined
    return { path, namespace: SHARED_FILES, pluginData: resolveDir, sideEffects: false }
  })
  build.onLoad({ filter: /./, namespace: SHARED_FILES }, ({ path, pluginData }) => ({
    contents: `import { loadSharedConfigFiles as load } from ${JSON.stringify(path)}\n${sharedIfNamed}`,
    resolveDir: pluginData as string,
  }))
}

const sharedIfNamed = [
  'export const loadSharedConfigFiles = async (init) => {',
  '  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = process.env',
  '  const named = AWS_CONFIG_FILE || AWS_SHARED_CREDENTIALS_FILE || init?.configFilepath || init?.filepath',
  '  return named ? load(init) : { configFile: {}, credentialsFile: {} }',
  '}',
].join('\n')
