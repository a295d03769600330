import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventOf } from '../../src/local-emulator/event-source-mapping.ts'
import { handlerStage } from './handler-stage.ts'
import { captureLog, type LogCapture } from './log-lines.ts'
import { hostileNames } from './message-recipe.ts'

let log: LogCapture
beforeEach(() => {
  log = captureLog()
})
afterEach(() => log.restore())

it('of 10,000 messages, as a batch window allows, exactly those that are poison go back (F-24, I14)', async () => {
  const { clock, queue, executor, tasks, handler, arn } = handlerStage()
  const size = 10_000
  const isPoison = (index: number) => index % 10 === 3
  const group = await executor.map(
    tasks.add,
    Array.from({ length: size }, (_, index) => [index, 1] as const),
  )
  const records: SQSRecord[] = []
  while (records.length < size) {
    records.push(...eventOf(await queue.receive('default', { maxMessages: 10, waitSeconds: 0 }), arn).Records)
  }
  const event: SQSEvent = {
    Records: records.map((record, index) => {
      return isPoison(index) ? { ...record, body: `{"v":1,"task":"${hostileNames[index % 9]}"}` } : record
    }),
  }
  const { batchItemFailures } = await clock.runUntil(handler(event))
  const poison = records.filter((_, index) => isPoison(index)).map(({ messageId }) => messageId)
  expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(poison)
  expect(await group.counts()).toMatchObject({ succeeded: size - poison.length, pending: poison.length })
})
