/**
 * Turns the SDK's errors into errand's where errand knows the fix: a missing grant, a missing queue or table.
 * @module
 */
import { AccessDeniedError, ResourceNotFoundError } from '../errors.ts'

/** What `addClient` of the construct gives. */
type Access = 'submit' | 'read' | 'manage' | 'inspect' | 'operate' | 'monitor'

/** What was asked of AWS. */
export interface AwsRequest {
  /** The action as IAM names it: `sqs:SendMessage`. */
  readonly action: string
  /** What it was asked of, in words: `queue "high-priority" (https://…)`. */
  readonly resource: string
  /** What a client is given to do this. @default the least that has the action */
  readonly access?: Access
  /** What to do about a refusal, where no client of the construct is meant. @default to give such a client its access */
  readonly remedy?: string
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

const accessOf: Readonly<Record<string, Access>> = {
  'sqs:SendMessage': 'submit',
  'dynamodb:PutItem': 'submit',
  's3:PutObject': 'submit',
  'scheduler:CreateSchedule': 'submit',
  'scheduler:DeleteSchedule': 'manage',
  'dynamodb:GetItem': 'read',
  'dynamodb:BatchGetItem': 'read',
  's3:GetObject': 'read',
  'dynamodb:UpdateItem': 'manage',
  'dynamodb:Query': 'manage',
  'lambda:InvokeFunction': 'inspect',
  'lambda:GetEventSourceMapping': 'inspect',
  'sqs:GetQueueAttributes': 'inspect',
  'scheduler:GetSchedule': 'inspect',
  'lambda:UpdateEventSourceMapping': 'operate',
  'scheduler:UpdateSchedule': 'operate',
  'sqs:PurgeQueue': 'operate',
  'cloudwatch:GetMetricData': 'monitor',
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
    return new AccessDeniedError(`AWS denied ${action} on ${resource}${key}: ${remedyOf(request)}`, {
      cause: error,
    })
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

function remedyOf({ action, access = accessOf[action], remedy }: AwsRequest): string {
  if (remedy !== undefined) return remedy
  const fix = access === undefined ? '' : `a client gets it by \`fleet.addClient(fn, { ${access}: true })\`; `
  return `${fix}the construct gives it to the workers it makes`
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
