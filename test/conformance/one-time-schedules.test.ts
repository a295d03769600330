import * as sdk from '@aws-sdk/client-scheduler'
import { afterEach, describe, expect, test } from 'vitest'
import { checkSchedule } from '../../src/cli/local-aws/schedule-request.ts'
import { type SentMessage, startSchedulerServer } from '../../src/cli/local-aws/scheduler-server.ts'
import { inProcessOneTimeSchedules } from '../../src/local-emulator/in-process-one-time-schedules.ts'
import { virtualClock } from '../../src/local-emulator/index.ts'
import { eventBridgeOneTimeSchedules } from '../../src/runtime/aws/eventbridge-one-time-schedules.ts'
import { lazyScheduler } from '../../src/runtime/aws/scheduler-client.ts'
import { scheduleNameForm } from '../../src/runtime/call/scheduled-call.ts'
import { AccessDeniedError, NotWiredError, ResourceNotFoundError } from '../../src/runtime/errors.ts'
import { firingOf, scheduleInputBytes, scheduleName } from '../../src/runtime/ports/one-time-schedules.ts'
import type { OutgoingMessage } from '../../src/runtime/ports/queue.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { type ArrivedMessage, describeSchedules } from './one-time-schedule-suite.ts'

describeSchedules('in process', async () => {
  const clock = virtualClock()
  const arrived: ArrivedMessage[] = []
  const send = async (queue: string, messages: readonly OutgoingMessage[]) => {
    for (const { body, groupId, delaySeconds = 0 } of messages) {
      arrived.push({ queue, body, groupId, visibleAt: clock.now() + delaySeconds * 1000 })
    }
    return messages.map(() => ({ messageId: 'm' }))
  }
  const schedules = inProcessOneTimeSchedules({ clock, queue: { send } })
  return {
    schedules,
    clock,
    advance: (seconds) => clock.advance({ seconds }),
    arrived: () => arrived,
    close: async () => schedules.stop(),
  }
})

const resources = {
  group: 'shop',
  role: 'arn:aws:iam::123456789012:role/shop-schedules',
  deadLetters: 'arn:aws:sqs:eu-west-1:123456789012:shop-schedules-dead-letters',
}
const queueUrls = {
  default: 'https://sqs.eu-west-1.amazonaws.com/123456789012/shop-default',
  high: 'https://sqs.eu-west-1.amazonaws.com/123456789012/shop-high',
}

async function wireStage() {
  const clock = virtualClock()
  const sent: (SentMessage & { readonly at: number })[] = []
  const server = await startSchedulerServer({
    clock,
    send: async (message) => {
      sent.push({ ...message, at: clock.now() })
    },
    onUnsent: () => {},
  })
  const scheduler = lazyScheduler(connectionTo(server), {}, loopbackRegion)
  const schedules = eventBridgeOneTimeSchedules({ resources, scheduler, queueUrls })
  const close = async () => {
    await scheduler.close()
    await server.close()
  }
  return { clock, sent, server, schedules, close }
}

describeSchedules('EventBridge Scheduler on the wire', async () => {
  const { clock, sent, schedules, close } = await wireStage()
  const nameOf = new Map(Object.entries(queueUrls).map(([name, url]) => [url, name]))
  return {
    schedules,
    clock,
    advance: (seconds) => clock.advance({ seconds }),
    arrived: () =>
      sent.map(({ QueueUrl, MessageBody, MessageGroupId, DelaySeconds = 0, at }) => ({
        queue: nameOf.get(QueueUrl) ?? '',
        body: MessageBody,
        groupId: MessageGroupId,
        visibleAt: at + DelaySeconds * 1000,
      })),
    close,
  }
})

describe('EventBridge Scheduler on the wire', () => {
  let close = async () => {}
  afterEach(() => close())

  async function stage() {
    const made = await wireStage()
    close = made.close
    return made
  }

  test('what is asked for is what the SDK makes of it, to the letter', async () => {
    const { clock, server, schedules } = await stage()
    const dueAt = clock.now() + 30 * 86_400_000 + 17_000
    const name = scheduleName({ id: 'a', attempts: 0 })
    await schedules.create({ name, queue: 'high', message: { body: '{"v":1}', groupId: 'acme' }, dueAt })
    expect(server.schedules()).toEqual([
      {
        Name: name,
        GroupName: 'shop',
        ClientToken: name,
        // Due on 31 January at 00:00:17: the minute before is 23:59:17, whose minute begins at 23:59.
        ScheduleExpression: 'at(2026-01-30T23:59:00)',
        ScheduleExpressionTimezone: 'UTC',
        FlexibleTimeWindow: { Mode: 'OFF' },
        ActionAfterCompletion: 'DELETE',
        Target: {
          Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage',
          RoleArn: resources.role,
          Input: `{"QueueUrl":"${queueUrls.high}","MessageBody":"{\\"v\\":1}","DelaySeconds":17,"MessageGroupId":"acme"}`,
          DeadLetterConfig: { Arn: resources.deadLetters },
          RetryPolicy: { MaximumEventAgeInSeconds: 21_600, MaximumRetryAttempts: 185 },
        },
      },
    ])
    // The SDK reads it back under its own types.
    const client = new sdk.SchedulerClient({ region: loopbackRegion, ...connectionTo(server) })
    const found = await client.send(new sdk.GetScheduleCommand({ Name: name, GroupName: 'shop' }))
    expect(found).toMatchObject({
      Name: name,
      ActionAfterCompletion: 'DELETE',
      Target: { RoleArn: resources.role },
    })
    client.destroy()
  })

  test('a name is of 44 characters that AWS takes, and none that a declared one can have, and another for each wait of a call', () => {
    const waits = [
      { id: 'a', attempts: 0 },
      { id: 'a', attempts: 1 },
      { id: 'a', sends: 2, attempts: 1 },
      { id: 'ä'.repeat(100), attempts: 0 },
    ]
    const names = waits.map(scheduleName)
    expect(new Set(names).size).toBe(4)
    for (const name of names) expect(name).toMatch(/^_[0-9a-zA-Z-_]{43}$/)
    expect(names.some((name) => scheduleNameForm.test(name))).toBe(false)
    expect(scheduleName({ id: 'a', sends: 1, attempts: 0 })).toBe(names[0])
  })

  test('what is counted as fitting fits, with the longest URL and group', () => {
    const url = `https://sqs.ap-southeast-99.amazonaws.com/123456789012/${'q'.repeat(80)}`
    for (const unit of ['x', '"', '\\', 'é', '😀', '\u0001', '<aws.']) {
      const units = Math.floor(270_000 / Buffer.byteLength(JSON.stringify(unit)))
      for (let times = units; times > 0; times = Math.floor(times * 0.9)) {
        const body = unit.repeat(times)
        if (scheduleInputBytes(body) > 262_144) continue
        const escaped = body.replaceAll('<aws.', '\\u003caws.')
        const input = JSON.stringify({
          QueueUrl: url,
          MessageBody: escaped,
          DelaySeconds: 59,
          MessageGroupId: 'g'.repeat(128),
        })
        expect(Buffer.byteLength(input)).toBeLessThanOrEqual(262_144)
        break
      }
    }
  })

  test('a request that AWS would refuse is refused by the server', () => {
    const good = {
      ScheduleExpression: 'at(2026-01-30T23:59:00)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      ActionAfterCompletion: 'DELETE',
      Target: {
        Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage',
        RoleArn: resources.role,
        Input: JSON.stringify({ QueueUrl: queueUrls.high, MessageBody: 'x' }),
      },
    }
    expect(checkSchedule('a', good).atMs).toBe(Date.UTC(2026, 0, 30, 23, 59))
    const { Target } = good
    const bad: [string, unknown][] = [
      ['x'.repeat(65), good],
      ['a/b', good],
      ['a', { ...good, ScheduleExpression: 'at(2026-01-30T23:59:00.000Z)' }],
      ['a', { ...good, ScheduleExpression: 'at(2026-13-30T23:59:00)' }],
      ['a', { ...good, ClientToken: 'a.b' }],
      ['a', { ...good, Target: { ...Target, Input: 'x'.repeat(262_145) } }],
      ['a', { ...good, Target: { ...Target, Input: '{"QueueUrl":"https://x/y","MessageBody":""}' } }],
      [
        'a',
        {
          ...good,
          Target: { ...Target, Input: '{"QueueUrl":"https://x/y","MessageBody":"x","DelaySeconds":901}' },
        },
      ],
      ['a', { ...good, Target: { ...Target, RoleArn: 'shop' } }],
      ['a', { ...good, Target: { ...Target, DeadLetterConfig: { Arn: `${resources.deadLetters}.fifo` } } }],
      ['a', { ...good, Target: { ...Target, RetryPolicy: { MaximumEventAgeInSeconds: 59 } } }],
      ['a', { ...good, Target: undefined }],
    ]
    for (const [name, body] of bad) expect(() => checkSchedule(name, body)).toThrow()
  })

  test.each([
    [
      'AccessDeniedException',
      AccessDeniedError,
      'AWS denied scheduler:CreateSchedule on schedules of the group "shop"',
    ],
    ['ResourceNotFoundException', ResourceNotFoundError, 'schedules of the group "shop" is not there'],
  ])('%s is told with its fix', async (name, kind, text) => {
    const error = Object.assign(new Error('no'), { name })
    const client = { send: () => Promise.reject(error), destroy: () => {} }
    const scheduler = lazyScheduler({ client }, {}, loopbackRegion)
    const schedules = eventBridgeOneTimeSchedules({ resources, scheduler, queueUrls })
    const made = schedules.create({ name: 'a', queue: 'high', message: { body: 'x' }, dueAt: 0 })
    await expect(made).rejects.toSatisfy((thrown) => kind.is(thrown))
    await expect(made).rejects.toThrow(text)
  })

  test('throttled requests are made again, and a lost answer is no second schedule', async () => {
    const { clock, server, schedules } = await stage()
    const real = new sdk.SchedulerClient({ region: loopbackRegion, ...connectionTo(server), maxAttempts: 8 })
    let tries = 0
    real.middlewareStack.add(
      (next) => async (given) => {
        tries++
        if (tries <= 2)
          throw Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException', $fault: 'client' })
        const answer = await next(given)
        if (tries === 3) throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError' })
        return answer
      },
      { step: 'deserialize', priority: 'low' },
    )
    const scheduler = lazyScheduler({ client: real }, {}, loopbackRegion)
    const retried = eventBridgeOneTimeSchedules({ resources, scheduler, queueUrls })
    const schedule = { name: 'a', queue: 'high', message: { body: 'x' }, dueAt: clock.now() + 2_000_000 }
    await retried.create(schedule)
    await schedules.create(schedule)
    expect(tries).toBe(4)
    expect(server.schedules()).toHaveLength(1)
    real.destroy()
  })

  test('a queue without a URL is named', async () => {
    const { schedules } = await stage()
    const made = schedules.create({ name: 'a', queue: 'low', message: { body: 'x' }, dueAt: 0 })
    await expect(made).rejects.toSatisfy((error) => NotWiredError.is(error))
  })
})

test('a firing is a whole minute, its message never due after its time and at most two minutes before', () => {
  for (let dueAt = Date.UTC(2026, 0, 1); dueAt < Date.UTC(2026, 0, 1, 0, 3); dueAt += 499) {
    const { minuteAt, delaySeconds } = firingOf(dueAt)
    expect(minuteAt % 60_000).toBe(0)
    expect(Number.isInteger(delaySeconds) && delaySeconds >= 0 && delaySeconds < 60).toBe(true)
    const [earliest, latest] = [minuteAt + delaySeconds * 1000, minuteAt + 60_000 + delaySeconds * 1000]
    expect(latest).toBeLessThanOrEqual(dueAt)
    expect(earliest).toBeGreaterThan(dueAt - 61_000)
  }
})
