import { ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { UndeliverableError } from 'errand'
import { describe, expect, test } from 'vitest'
import { kitchenUnderTest } from './kitchen-under-test.ts'

const kitchen = kitchenUnderTest()

/** Receives a message, and lets it become visible again at once; whether there was one. */
async function receive(queueUrl: string): Promise<boolean> {
  const command = new ReceiveMessageCommand({ QueueUrl: queueUrl, VisibilityTimeout: 0 })
  const { Messages = [] } = await kitchen.stack.sqs.send(command)
  return Messages.length > 0
}

describe.concurrent('a call', () => {
  test('of a task that the workers do not know yet waits for their deployment', async () => {
    const worker = kitchen.worker('main')
    const { ERRAND_VERSION: before } = worker.settings().variables
    const group = await kitchen.submit({ task: 'novelty', calls: [['soup']] })
    await worker.line('no task \\"novelty\\" here')
    await kitchen.deployNext()
    expect(worker.settings().variables.ERRAND_VERSION).not.toBe(before)
    expect(await group.results({ timeoutSeconds: 100 })).toEqual(['new: soup'])
    // Waiting was no attempt.
    expect(await group.at(0)?.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
  })

  test('that SQS gives up on ends', async () => {
    const queueUrl = kitchen.queueUrl('shelved')
    // Its worker is throttled: the mapping receives in vain.
    const resume = await kitchen.stack.pause(queueUrl)
    const group = await kitchen.submit({ task: 'shelved.shelve', calls: [['jam']] })
    let receives = 0
    while (await receive(queueUrl)) receives += 1
    expect(receives).toBe(100)
    const [outcome] = await group.outcomes({ timeoutSeconds: 30 })
    resume()
    expect(outcome).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      error: expect.any(UndeliverableError),
    })
    expect(kitchen.deadLetters.environments()).toHaveLength(1)
  })
})
