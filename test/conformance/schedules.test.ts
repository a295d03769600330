import { expect, onTestFinished, test } from 'vitest'
import { inProcessStore, virtualClock } from '../../src/local-emulator/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import type { Schedules } from '../../src/runtime/ports/schedules.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { noticedSchedules } from '../../src/runtime/schedules/noticed-schedules.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { startSchedulerWire } from '../support/scheduler-wire.ts'
import { declared, describeSchedules } from './schedule-suite.ts'

describeSchedules('notices in a store', async () => ({
  schedules: noticedSchedules(inProcessStore({ clock: virtualClock() })),
  close: async () => {},
}))

/** The real SDK before a wire, with what the construct deploys. */
async function deployed() {
  const wire = await startSchedulerWire()
  for (const { name, expression, timezone, enabled, jitterMinutes, body } of declared) {
    wire.schedules.set(`group/${name}`, {
      ...{ Name: name, GroupName: 'group', Arn: `arn:aws:scheduler:eu-west-1:1:schedule/group/${name}` },
      ...{ CreationDate: 1, LastModificationDate: 2, Description: 'made by the construct' },
      ...{ ScheduleExpression: expression, ScheduleExpressionTimezone: timezone },
      ...{ State: enabled ? 'ENABLED' : 'DISABLED', ActionAfterCompletion: 'NONE' },
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: jitterMinutes },
      Target: { Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage', RoleArn: 'arn:role', Input: body },
    })
  }
  const backend = awsBackend(resolveConfig({ name: 'shop' }), {
    ...{ tableName: 'none', queueUrls: { default: 'http://127.0.0.1:1/1/default' }, region: loopbackRegion },
    schedulerResources: { group: 'group', role: 'arn:role', deadLetters: 'arn:letters' },
    scheduler: connectionTo(wire),
  })
  const close = async () => {
    await backend.close()
    await wire.close()
  }
  return { wire, schedules: backend.schedules as Schedules, close }
}

describeSchedules("AWS on the wire (EventBridge Scheduler's API)", deployed)

const [nightly] = declared

test('a pause changes the state of a schedule, and nothing else of it', async () => {
  const { wire, schedules, close } = await deployed()
  onTestFinished(close)
  const before = wire.schedules.get('group/nightly')
  await schedules.setEnabled(nightly, false)
  const { LastModificationDate: _, ...kept } = before as Record<string, unknown>
  expect(wire.schedules.get('group/nightly')).toMatchObject({ ...kept, State: 'DISABLED' })
  await schedules.setEnabled(nightly, false)
  expect(wire.requests).toEqual(['GET nightly', 'PUT nightly', 'GET nightly'])
})

test('a schedule that was not deployed yet is missing, and cannot be paused', async () => {
  const { wire, schedules, close } = await deployed()
  onTestFinished(close)
  wire.schedules.delete('group/nightly')
  expect(await schedules.isEnabled(nightly)).toBeUndefined()
  await expect(schedules.setEnabled(nightly, false)).rejects.toThrow(
    /the schedule "nightly" of the group "group" is not there/,
  )
})

test('what a role may not do is said with the grant to give', async () => {
  const { wire, schedules, close } = await deployed()
  onTestFinished(close)
  wire.refusal = 'AccessDeniedException'
  await expect(schedules.isEnabled(nightly)).rejects.toThrow(/scheduler:GetSchedule.*\{ inspect: true \}/)
})

test('hundreds of schedules that are looked at at once are one read of the notices, and a pause is seen by the next', async () => {
  const store = inProcessStore({ clock: virtualClock() })
  let reads = 0
  const counted = {
    putNotice: store.putNotice,
    notices: () => {
      reads += 1
      return store.notices()
    },
  }
  const schedules = noticedSchedules(counted)
  const asked = Array.from({ length: 300 }, () => schedules.isEnabled(nightly))
  expect(new Set(await Promise.all(asked))).toEqual(new Set([true]))
  expect(reads).toBe(1)
  const before = schedules.isEnabled(nightly)
  await schedules.setEnabled(nightly, false)
  expect(await schedules.isEnabled(nightly)).toBe(false)
  await before
})
