/**
 * What of the AWS SDK no worker runs is left out of its bundle: bytes that every cold start would read.
 *
 * - Of the clients that errand itself loads: commands it does not send, with their schemas. A task that imports a
 *   client has all of it.
 * - Sources of credentials that Lambda has not: profiles, single sign-on, login, other processes, web identity, EC2's
 *   metadata. What stays are the variables, which is where Lambda puts them, and the container's endpoint.
 *   `@aws-sdk/credential-providers`, for a task that assumes a role, is whole.
 * - `bowser`, which reads the user agents of browsers, and the descriptions in the SDK's package.json files.
 * @module
 */
import { readFile } from 'node:fs/promises'
import type { OnLoadResult, Plugin } from 'esbuild'

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
  '@aws-sdk/client-s3': ['GetObjectCommand', 'PutObjectCommand', 'S3Client'],
  '@aws-sdk/client-sqs': [
    'ChangeMessageVisibilityBatchCommand',
    'DeleteMessageBatchCommand',
    'GetQueueAttributesCommand',
    'ReceiveMessageCommand',
    'SQSClient',
    'SendMessageBatchCommand',
  ],
}

const notOnLambda = [
  "const absent = () => async () => { throw Object.assign(new Error('left out of the worker bundle: Lambda has no such source of credentials'), { tryNextLink: true }) }",
  'export { absent as fromSSO, absent as fromIni, absent as fromProcess, absent as fromTokenFile }',
  'export { absent as fromContainerMetadata, absent as fromInstanceMetadata }',
  "export const ENV_CMDS_FULL_URI = 'AWS_CONTAINER_CREDENTIALS_FULL_URI'",
  "export const ENV_CMDS_RELATIVE_URI = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'",
].join('\n')

const ofErrand = /[\\/]runtime[\\/]aws[\\/][\w-]+\.[jt]s$/
const ofChain = /[\\/]@aws-sdk[\\/]credential-provider-node[\\/]/

/** Leaves out of the SDK what no worker runs. */
export const leanSdk: Plugin = {
  name: 'lean-sdk',
  setup(build) {
    build.onResolve(
      { filter: /^@aws-sdk\/client-(dynamodb|s3|sqs)$/ },
      ({ path, kind, importer, resolveDir }) => {
        if (kind !== 'dynamic-import' || !ofErrand.test(importer)) return undefined
        return { path, namespace: 'used-of-sdk', pluginData: resolveDir, sideEffects: false }
      },
    )
    build.onLoad({ filter: /./, namespace: 'used-of-sdk' }, ({ path, pluginData }): OnLoadResult => {
      const names = usedOfSdk[path] ?? []
      const contents = `export { ${names.join(', ')} } from ${JSON.stringify(path)}`
      return { contents, resolveDir: pluginData as string }
    })
    const left =
      /^(@aws-sdk\/credential-provider-(sso|ini|process|web-identity)|@smithy\/credential-provider-imds)$/
    build.onResolve({ filter: left }, ({ path, importer }) => {
      return ofChain.test(importer) ? { path, namespace: 'not-on-lambda', sideEffects: false } : undefined
    })
    build.onLoad({ filter: /./, namespace: 'not-on-lambda' }, () => ({ contents: notOnLambda }))
    build.onResolve({ filter: /^bowser$/ }, ({ path, importer }) => {
      return /[\\/]@aws-sdk[\\/]/.test(importer)
        ? { path, namespace: 'empty', sideEffects: false }
        : undefined
    })
    build.onLoad({ filter: /./, namespace: 'empty' }, () => ({ contents: 'export default {}' }))
    build.onLoad({ filter: /[\\/]@aws-sdk[\\/][\w-]+[\\/]package\.json$/ }, async ({ path }) => {
      const { name, version } = JSON.parse(await readFile(path, 'utf8'))
      return { contents: JSON.stringify({ name, version }), loader: 'json' }
    })
  },
}
