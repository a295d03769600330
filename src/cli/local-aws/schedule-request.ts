/**
 * A `CreateSchedule` request, held against what AWS documents of it (EventBridge Scheduler's API reference and quotas).
 * @module
 */
import { LIMITS } from '../../runtime/config/config.ts'

/** The request, as far as it is understood here. */
export interface RequestedSchedule {
  readonly Name: string
  readonly GroupName: string
  readonly ClientToken?: string
  readonly ScheduleExpression: string
  readonly ScheduleExpressionTimezone?: string
  readonly FlexibleTimeWindow: { readonly Mode: string }
  readonly ActionAfterCompletion?: string
  readonly Target: {
    readonly Arn: string
    readonly RoleArn: string
    readonly Input: string
    readonly DeadLetterConfig?: { readonly Arn: string }
    readonly RetryPolicy?: {
      readonly MaximumEventAgeInSeconds?: number
      readonly MaximumRetryAttempts?: number
    }
  }
}

/** A refusal, as AWS says it. */
export class SchedulerRefusal extends Error {
  readonly status: number
  readonly type: string

  constructor(status: number, type: string, message: string) {
    super(message)
    this.status = status
    this.type = type
  }
}

const nameForm = /^[0-9a-zA-Z-_.]{1,64}$/
const tokenForm = /^[a-zA-Z0-9-_]{1,64}$/
const atForm = /^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$/
const roleForm = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/
const queueForm = /^arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+$/

/** The one target that is known here. */
const SEND_MESSAGE = 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage'

/**
 * Checks a request for a one-time schedule.
 * @throws SchedulerRefusal a `ValidationException` that says what AWS would not take
 */
export function checkSchedule(
  Name: string,
  body: unknown,
): { readonly request: RequestedSchedule; readonly atMs: number } {
  const request = { GroupName: 'default', ...Object(body), Name } as RequestedSchedule
  const { GroupName, ClientToken, ScheduleExpressionTimezone: zone } = request
  demand(nameForm.test(Name), `Name ${Name} must match ${nameForm}`)
  demand(nameForm.test(GroupName), `GroupName ${GroupName} must match ${nameForm}`)
  demand(ClientToken === undefined || tokenForm.test(ClientToken), `ClientToken must match ${tokenForm}`)
  const [, moment] = atForm.exec(String(request.ScheduleExpression)) ?? []
  const atMs = Date.parse(`${moment}Z`)
  demand(Number.isFinite(atMs), `Invalid Schedule Expression ${request.ScheduleExpression}.`)
  demand(zone === undefined || zone === 'UTC', `ScheduleExpressionTimezone ${zone}: only UTC is known here`)
  demand(request.FlexibleTimeWindow?.Mode === 'OFF', 'FlexibleTimeWindow.Mode must be OFF here')
  demand(request.ActionAfterCompletion === 'DELETE', 'ActionAfterCompletion must be DELETE here')
  checkTarget(request.Target)
  return { request, atMs }
}

function checkTarget(target: RequestedSchedule['Target'] | undefined): void {
  const { Arn, RoleArn, Input, DeadLetterConfig, RetryPolicy } = Object(target) as Partial<
    RequestedSchedule['Target']
  >
  demand(Arn === SEND_MESSAGE, `Target.Arn ${Arn}: only ${SEND_MESSAGE} is known here`)
  demand(roleForm.test(String(RoleArn)), `Target.RoleArn ${RoleArn} must match ${roleForm}`)
  demand(typeof Input === 'string' && Input !== '', 'Target.Input is missing')
  const bytes = Buffer.byteLength(String(Input))
  demand(
    bytes <= LIMITS.scheduleInputBytes,
    `Target.Input has ${bytes} bytes, at most ${LIMITS.scheduleInputBytes}`,
  )
  checkInput(String(Input))
  const queue = DeadLetterConfig?.Arn
  demand(
    queue === undefined || queueForm.test(queue),
    `DeadLetterConfig.Arn ${queue} must match ${queueForm}`,
  )
  const { MaximumEventAgeInSeconds: age = 86_400, MaximumRetryAttempts: retries = 185 } = RetryPolicy ?? {}
  demand(isWithin(age, 60, 86_400), `MaximumEventAgeInSeconds ${age} must be from 60 to 86400`)
  demand(isWithin(retries, 0, 185), `MaximumRetryAttempts ${retries} must be from 0 to 185`)
}

/** It is what SQS is asked for: AWS finds that out when the schedule fires, and here it is found now. */
function checkInput(input: string): void {
  let parameters: Record<string, unknown>
  try {
    parameters = Object(JSON.parse(input))
  } catch {
    throw new SchedulerRefusal(400, 'ValidationException', 'Target.Input is no JSON')
  }
  const known = ['QueueUrl', 'MessageBody', 'DelaySeconds', 'MessageGroupId']
  const unknown = Object.keys(parameters).find((name) => !known.includes(name))
  demand(unknown === undefined, `SendMessage has no parameter ${unknown}, of those that are known here`)
  const { QueueUrl, MessageBody, DelaySeconds = 0 } = parameters
  demand(typeof QueueUrl === 'string' && URL.canParse(QueueUrl), `QueueUrl ${QueueUrl} is no URL`)
  demand(typeof MessageBody === 'string' && MessageBody !== '', 'MessageBody is missing')
  demand(isWithin(DelaySeconds, 0, LIMITS.delaySeconds), `DelaySeconds ${DelaySeconds} must be from 0 to 900`)
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function demand(holds: boolean, message: string): void {
  if (!holds) throw new SchedulerRefusal(400, 'ValidationException', message)
}
