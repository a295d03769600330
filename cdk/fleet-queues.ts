/**
 * The queues of a fleet, each with its dead-letter queue.
 * @module
 */
import { Annotations, Duration, type RemovalPolicy, Stack } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  CfnQueue,
  DeduplicationScope,
  FifoThroughputLimit,
  type IQueue,
  Queue,
  QueueEncryption,
  type QueueProps,
} from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { LIMITS, MAX_RECEIVE_COUNT, type ResolvedQueue } from '../src/runtime/config/config.ts'
import type { ExistingQueue } from './fleet-props.ts'
import { refusal } from './refusal.ts'

/** One queue of a fleet. */
export interface FleetQueue {
  readonly name: string
  readonly queue: IQueue
  /** Where SQS puts what it gave up on; the fleet consumes it. Absent for an imported queue that was given without. */
  readonly deadLetterQueue?: IQueue
}

/** SQS's default, where a template says nothing. */
const DEFAULT_VISIBILITY_SECONDS = 30

/**
 * Makes a queue and its dead-letter queue. Their physical names are CloudFormation's, so that stages do not collide.
 *
 * Both are retained when they leave the stack, unless `removalPolicy` says otherwise: a queue that is taken out of the
 * config may hold calls, and somebody awaits them. The dead-letter queue takes letters of any queue: naming its one
 * source (`RedriveAllowPolicy`) would make the two depend on each other, which CloudFormation refuses.
 */
export function makeQueue(
  parent: Construct,
  settings: ResolvedQueue,
  options: { readonly removalPolicy: RemovalPolicy; readonly encryptionKey: IKey | undefined },
): FleetQueue {
  const { name, fifo, retentionSeconds, visibilitySeconds } = settings
  const scope = new Construct(parent, name)
  const both = {
    ...guardedBy(options.encryptionKey),
    ...orderedBy(fifo),
    removalPolicy: options.removalPolicy,
  }
  const deadLetterQueue = deadLetters(scope, both)
  const queue = new Queue(scope, 'Queue', {
    ...both,
    retentionPeriod: Duration.seconds(retentionSeconds),
    visibilityTimeout: Duration.seconds(visibilitySeconds),
    deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
  })
  if (!fifo && retentionSeconds > LIMITS.maxRetentionSeconds - DAY_SECONDS) warnOfRetention(scope, settings)
  return { name, queue, deadLetterQueue }
}

/** Makes the queue of what the schedules of a fleet could not send. */
export function makeDeadLetters(
  scope: Construct,
  options: { readonly removalPolicy: RemovalPolicy; readonly encryptionKey: IKey | undefined },
): Queue {
  return deadLetters(scope, { ...guardedBy(options.encryptionKey), removalPolicy: options.removalPolicy })
}

function deadLetters(scope: Construct, props: QueueProps): Queue {
  return new Queue(scope, 'DeadLetters', {
    ...props,
    // A standard queue's messages keep the age they had: what came late would else be gone on arrival.
    retentionPeriod: Duration.seconds(LIMITS.maxRetentionSeconds),
    visibilityTimeout: Duration.seconds(DEAD_LETTER_VISIBILITY_SECONDS),
  })
}

const DAY_SECONDS = 86_400

/** How long the dead-letter function may take, in seconds: its batches write a few items each. */
export const DEAD_LETTER_TIMEOUT_SECONDS = 60

const DEAD_LETTER_VISIBILITY_SECONDS = DEAD_LETTER_TIMEOUT_SECONDS + 30

function guardedBy(key: IKey | undefined): QueueProps {
  const encryption = key === undefined ? QueueEncryption.SQS_MANAGED : QueueEncryption.KMS
  return { enforceSSL: true, encryption, ...(key !== undefined && { encryptionMasterKey: key }) }
}

/** High throughput: de-duplicated and limited by message group, 300 requests a second for each instead of for all. */
function orderedBy(fifo: boolean): QueueProps {
  if (!fifo) return {}
  return {
    fifo: true,
    contentBasedDeduplication: false,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
  }
}

function warnOfRetention(scope: Construct, { name, retentionSeconds }: ResolvedQueue): void {
  Annotations.of(scope).addWarningV2(
    'errand:retention',
    `queue "${name}" keeps messages for ${retentionSeconds} s: SQS counts the 14 days of the dead-letter queue from the ` +
      'send, so a late dead letter is gone before its call is ended; set `retentionSeconds` to 13 days or less',
  )
}

/**
 * The queue that is given. What is known of it, where it is made in this CDK app, is checked.
 * @throws InvalidOptionError
 */
export function useQueue(
  scope: Construct,
  settings: ResolvedQueue,
  given: IQueue | ExistingQueue,
): FleetQueue {
  const { name, fifo } = settings
  const { queue, deadLetterQueue = deadLettersOf(queue) } = 'queue' in given ? given : { queue: given }
  const what = `\`queues\` "${name}" is given ${queue.node.path}`
  if (queue.fifo !== fifo) {
    const [is, says] = queue.fifo ? ['a FIFO queue', '`fifo: true`'] : ['a standard queue', 'no `fifo`']
    throw refusal(
      scope,
      `${what}, which is ${is}, and the config says otherwise; give the queue ${says} in the config, or give another`,
    )
  }
  checkVisibility(scope, what, settings, queue)
  if (deadLetterQueue === undefined) warnOfNoDeadLetters(scope, what)
  else checkDeadLetters(scope, what, settings, deadLetterQueue)
  return { name, queue, ...(deadLetterQueue !== undefined && { deadLetterQueue }) }
}

function deadLettersOf(queue: IQueue): IQueue | undefined {
  return queue instanceof Queue ? (queue.deadLetterQueue?.queue as IQueue | undefined) : undefined
}

function checkDeadLetters(scope: Construct, what: string, { fifo }: ResolvedQueue, letters: IQueue): void {
  if (letters.fifo !== fifo) {
    throw refusal(
      scope,
      `${what}, whose dead-letter queue is not ${fifo ? 'FIFO' : 'standard'} as it is; SQS wants both alike`,
    )
  }
  const seconds = visibilityOf(letters)
  if (seconds === undefined || seconds >= DEAD_LETTER_TIMEOUT_SECONDS) return
  throw refusal(
    scope,
    `${what}, whose dead-letter queue ${letters.node.path} has a \`visibilityTimeout\` of ${seconds} s: the function that ends dead letters may take ${DEAD_LETTER_TIMEOUT_SECONDS}, and Lambda refuses a mapping that hides messages for less; set it to that or more`,
  )
}

/** In seconds; `undefined` where only the deployment knows. */
function visibilityOf(queue: IQueue): number | undefined {
  const resource = queue.node.defaultChild
  if (!(resource instanceof CfnQueue)) return undefined
  const { visibilityTimeout = DEFAULT_VISIBILITY_SECONDS } = resource
  const seconds = Stack.of(resource).resolve(visibilityTimeout)
  return typeof seconds === 'number' ? seconds : undefined
}

/** Lambda refuses a mapping whose function may take longer than a message stays hidden. */
function checkVisibility(scope: Construct, what: string, settings: ResolvedQueue, queue: IQueue): void {
  const resource = queue.node.defaultChild
  if (!(resource instanceof CfnQueue)) return
  const seconds = visibilityOf(queue)
  if (seconds !== undefined && seconds < settings.visibilitySeconds) {
    throw refusal(
      scope,
      `${what}, whose \`visibilityTimeout\` is ${seconds} s, and the config says ${settings.visibilitySeconds}: a message would come back while it runs; set it to that, or \`visibilitySeconds\` in the config to what it is, no less than the longest time-out of its workers`,
    )
  }
  const receives = Stack.of(resource).resolve(resource.redrivePolicy)?.maxReceiveCount
  if (typeof receives === 'number' && receives < MAX_RECEIVE_COUNT) {
    Annotations.of(scope).addWarningV2(
      `errand:max-receive-count:${settings.name}`,
      `${what}, whose \`maxReceiveCount\` is ${receives}: throttling and postponements count too, so SQS may give up on calls that only wait; set it to ${MAX_RECEIVE_COUNT}`,
    )
  }
}

function warnOfNoDeadLetters(scope: Construct, what: string): void {
  Annotations.of(scope).addWarningV2(
    'errand:no-dead-letters',
    `${what} without a dead-letter queue: a future whose message is lost there ends only when its record does; give \`{ queue, deadLetterQueue }\``,
  )
}
