/**
 * What an SQS queue holds, its dead letters among it, and how it is emptied.
 * @module
 */
import type { QueueAttributeName } from '@aws-sdk/client-sqs'
import { deadLettersOf } from '../config/dead-letter-names.ts'
import { ErrandError } from '../errors.ts'
import type { QueueHoldings } from '../ports/fleet.ts'
import type { Lazy, SqsConnection } from './aws-clients.ts'
import { awsErrorName, requesting } from './aws-error.ts'
import { addressOf } from './sqs-queue.ts'
import type { Address } from './sqs-send.ts'

/** What it takes to reach the queues. */
export interface QueueAccess {
  readonly queueUrls: Readonly<Record<string, string>>
  readonly sqs: Lazy<SqsConnection>
}

const counted = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const satisfies QueueAttributeName[]

/** Counts a queue and its dead-letter queue. */
export async function holdingsOf(access: QueueAccess, queue: string): Promise<QueueHoldings> {
  const address = addressOf(access.queueUrls, queue)
  const attributes = await attributesOf(access, address, [...counted, 'RedrivePolicy'])
  const [visible, inFlight, delayed] = countsIn(attributes)
  const deadLetters = deadLetterAddress(access, address, attributes.RedrivePolicy)
  if (deadLetters === undefined) return { visible, inFlight, delayed }
  const dead = countsIn(await attributesOf(access, deadLetters, counted))
  return { visible, inFlight, delayed, dead: dead[0] + dead[1] + dead[2] }
}

type Attributes = Partial<Record<string, string>>

async function attributesOf(
  { sqs }: QueueAccess,
  { url, resource }: Address,
  names: readonly QueueAttributeName[],
): Promise<Attributes> {
  const { client, sdk } = await sqs.get()
  const command = new sdk.GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] })
  const answer = await requesting({ action: 'sqs:GetQueueAttributes', resource }, () => client.send(command))
  return answer.Attributes ?? {}
}

function countsIn(attributes: Attributes): [visible: number, inFlight: number, delayed: number] {
  return counted.map((name) => Number(attributes[name] ?? 0)) as [number, number, number]
}

/** The dead-letter queue, by its URL where that is known; else by its name: it lies beside its queue, as SQS demands. */
function deadLetterAddress(
  { queueUrls }: QueueAccess,
  { name, url }: Address,
  redrivePolicy: string | undefined,
): Address | undefined {
  const deadLetters = deadLettersOf(name)
  if (Object.hasOwn(queueUrls, deadLetters)) return addressOf(queueUrls, deadLetters)
  const arn = /"deadLetterTargetArn"\s*:\s*"([^"]*)"/.exec(redrivePolicy ?? '')?.[1]
  const last = arn?.slice(arn.lastIndexOf(':') + 1)
  if (!last) return undefined
  return addressOf({ [deadLetters]: url.slice(0, url.lastIndexOf('/') + 1) + last }, deadLetters)
}

/** Deletes all messages of a queue. */
export async function purgeQueue({ queueUrls, sqs }: QueueAccess, queue: string): Promise<void> {
  const { url, resource } = addressOf(queueUrls, queue)
  const { client, sdk } = await sqs.get()
  try {
    const command = new sdk.PurgeQueueCommand({ QueueUrl: url })
    await requesting({ action: 'sqs:PurgeQueue', resource }, () => client.send(command))
  } catch (cause) {
    if (awsErrorName(cause) !== 'PurgeQueueInProgress') throw cause
    throw new ErrandError(
      `${resource} was purged less than 60 s ago, and SQS purges a queue once in that time; purge it again in a minute`,
      { cause },
    )
  }
}
