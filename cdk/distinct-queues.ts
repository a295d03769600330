/**
 * No queue of a fleet is another's, nor another's dead-letter queue: AWS refuses two mappings of one queue to one
 * function, and a message must say whose it is.
 * @module
 */
import { Stack } from 'aws-cdk-lib'
import { CfnQueue, type IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { FleetQueue } from './fleet-queues.ts'
import { refusal } from './refusal.ts'

/**
 * Checks that each queue, and each dead-letter queue, is given once.
 * @throws InvalidOptionError
 */
export function checkDistinct(scope: Construct, queues: Iterable<FleetQueue>): void {
  const uses = new Map<string, string>()
  const use = (queue: IQueue, what: string) => {
    const identity = identityOf(queue)
    const other = uses.get(identity)
    if (other !== undefined) {
      throw refusal(
        scope,
        `\`queues\` has ${queue.node.path} both as ${other} and as ${what}; a queue has one place in a fleet: give each its own`,
      )
    }
    uses.set(identity, what)
  }
  for (const { name, queue, deadLetterQueue } of queues) {
    use(queue, JSON.stringify(name))
    if (deadLetterQueue !== undefined)
      use(deadLetterQueue, `the dead-letter queue of ${JSON.stringify(name)}`)
  }
}

/** An imported queue may be imported twice, and stacks may have the same logical ids. */
function identityOf(queue: IQueue): string {
  if (queue.node.defaultChild instanceof CfnQueue) return queue.node.path
  return JSON.stringify(Stack.of(queue).resolve(queue.queueArn))
}
