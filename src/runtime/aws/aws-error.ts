/**
 * Turns the SDK's errors into errand's where errand knows the fix: a missing grant, a missing queue or table.
 * @module
 */
import { AccessDeniedError, ResourceNotFoundError } from '../errors.ts'

/** What was asked of AWS. */
export interface AwsRequest {
  /** The action as IAM names it: `sqs:SendMessage`. */
  readonly action: string
  /** What it was asked of, in words: `queue "high-priority" (https://…)`. */
  readonly resource: string
}

const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'KmsAccessDenied',
  'KMS.AccessDeniedException',
])
const missing = new Set([
  'QueueDoesNotExist',
  'NonExistentQueue',
  'ResourceNotFoundException',
  'NoSuchBucket',
])

/** An error's name without the prefix that the query protocol, and emulators that kept it, give it. */
export function awsErrorName(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.name.replace(/^AWS\.SimpleQueueService\./, '')
}

const grantOf: Readonly<Record<string, string>> = {
  'sqs:SendMessage': 'fleet.addClient(fn, { submit: true })',
  'dynamodb:PutItem': 'fleet.addClient(fn, { submit: true })',
  'dynamodb:GetItem': 'fleet.addClient(fn, { read: true })',
  'dynamodb:BatchGetItem': 'fleet.addClient(fn, { read: true })',
  's3:PutObject': 'fleet.addClient(fn, { submit: true })',
  's3:GetObject': 'fleet.addClient(fn, { read: true })',
  'dynamodb:UpdateItem': 'fleet.addClient(fn, { manage: true })',
  'dynamodb:Query': 'fleet.addClient(fn, { manage: true })',
  'sqs:GetQueueAttributes': 'fleet.addClient(fn, { manage: true })',
  'sqs:PurgeQueue': 'fleet.addClient(fn, { manage: true })',
  'lambda:InvokeFunction': 'fleet.addClient(fn, { manage: true })',
  'lambda:ListEventSourceMappings': 'fleet.addClient(fn, { manage: true })',
  'lambda:UpdateEventSourceMapping': 'fleet.addClient(fn, { manage: true })',
}

/**
 * The error to throw for `error`, which the SDK threw for `request`: `AccessDeniedError` or
 * `ResourceNotFoundError`, with the SDK's as cause; any other unchanged.
 */
export function translateAwsError(error: unknown, request: AwsRequest): unknown {
  const { action, resource } = request
  const name = awsErrorName(error)
  if (denied.has(name)) {
    const key = name.startsWith('K') ? ', for lack of the key that encrypts it' : ''
    const grant = grantOf[action]
    const fix = grant === undefined ? '' : `a client gets it by \`${grant}\`; `
    return new AccessDeniedError(
      `AWS denied ${action} on ${resource}${key}: ${fix}the construct gives it to the workers it makes`,
      { cause: error },
    )
  }
  if (missing.has(name)) {
    return new ResourceNotFoundError(
      `${resource} is not there (${action}): it was deleted, or is in another region or account; ` +
        'deploy the stack, and take the variables from its outputs',
      { cause: error },
    )
  }
  return error
}

/** Whether no request of this kind can succeed until somebody changes the deployment. */
export function isDeploymentError(error: unknown): error is AccessDeniedError | ResourceNotFoundError {
  return AccessDeniedError.is(error) || ResourceNotFoundError.is(error)
}

/** Runs a request and translates what it throws. */
export async function requesting<T>(request: AwsRequest, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw translateAwsError(error, request)
  }
}
