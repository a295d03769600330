/**
 * Reads a secret of Secrets Manager. `@aws-sdk/client-secrets-manager` is an optional peer, which Lambda has: it is loaded
 * when a secret is first read. So no exported type may name the SDK's, which a consumer may not have.
 * @module
 */
import type * as SecretsSdk from '@aws-sdk/client-secrets-manager'
import { NotWiredError } from '../errors.ts'
import { clientConfig, type Environment, lazily, requestHandler } from './aws-clients.ts'
import { requesting } from './aws-error.ts'

/**
 * Gives the text of a secret each time that it is called, as it is then.
 * @throws AccessDeniedError, ResourceNotFoundError; NotWiredError where the client cannot be loaded
 */
export function secretReader(secretArn: string, env: Environment = process.env): () => Promise<string> {
  const connection = lazily(
    loadSdk,
    undefined,
    (sdk) => new sdk.SecretsManagerClient({ ...clientConfig('SECRETS_MANAGER', {}, env), requestHandler }),
  )
  return async () => {
    const { client, sdk } = await connection.get()
    const request = {
      action: 'secretsmanager:GetSecretValue',
      resource: `secret ${JSON.stringify(secretArn)}`,
    }
    const { SecretString = '' } = await requesting(request, () =>
      client.send(new sdk.GetSecretValueCommand({ SecretId: secretArn })),
    )
    return SecretString
  }
}

/** Literal, so that bundlers see it; with a `catch`, so that they do not insist on it. */
function loadSdk(): Promise<typeof SecretsSdk> {
  return import('@aws-sdk/client-secrets-manager').catch((cause: unknown) => {
    throw new NotWiredError(
      'to read a secret the package @aws-sdk/client-secrets-manager is needed, and cannot be loaded (see cause): `npm i @aws-sdk/client-secrets-manager`',
      { cause },
    )
  })
}
