import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inProcessQueue } from '../../src/local-emulator/in-process-queue.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'

function setup() {
  const clock = virtualClock(0)
  const options = { draining: false, retentionSeconds: 345_600, visibilitySeconds: 30 }
  const queues = new Map([
    ['jobs', { name: 'jobs', fifo: false, ...options }],
    ['ordered', { name: 'ordered', fifo: true, ...options }],
  ])
  return { clock, queue: inProcessQueue({ queues, clock, entropy: systemEntropy }) }
}

const operation = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), groups: fc.array(fc.nat(2), { maxLength: 4 }) }),
  fc.record({ kind: fc.constant('receive' as const), maxMessages: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('delete' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('hide' as const), which: fc.nat(), visibilitySeconds: fc.nat(40) }),
  fc.record({ kind: fc.constant('advance' as const), seconds: fc.nat(20) }),
)

type Inspected = ReturnType<ReturnType<typeof inProcessQueue>['inspect']>

/** Nothing of the message's group was in flight, and what is left of it was sent later. */
function expectInOrder(
  left: Inspected,
  { body, groupId }: { readonly body: string; readonly groupId?: string },
  locked: ReadonlySet<string | undefined>,
): void {
  expect(locked).not.toContain(groupId)
  const visible = left.filter((other) => other.groupId === groupId && other.state === 'visible')
  expect(Math.min(...visible.map((other) => +other.body))).toBeGreaterThan(+body)
}

test.each(['jobs', 'ordered'])(
  'whatever is done to "%s", no message is lost, and none is twice',
  async (name) => {
    const fifo = name === 'ordered'
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        const { clock, queue } = setup()
        const left = new Set<string>()
        const good = new Map<string, { body: string; until: number; groupId: string | undefined }>()
        let sent = 0
        for (const step of operations) {
          for (const [handle, { until }] of good) if (until <= clock.now()) good.delete(handle)
          const receipts = [...good.keys()]
          const receiptHandle = 'which' in step ? receipts[step.which % receipts.length] : undefined
          const held = receiptHandle === undefined ? undefined : good.get(receiptHandle)
          if (step.kind === 'send') {
            const batch = step.groups.map((group) => {
              const body = `${++sent}`
              left.add(body)
              return { body, groupId: `${group}`, ...(fifo && { deduplicationId: body }) }
            })
            await queue.send(name, batch)
          } else if (step.kind === 'receive') {
            const locked = new Set([...good.values()].map(({ groupId }) => groupId))
            for (const message of await queue.receive(name, { waitSeconds: 0, ...step })) {
              const { body, groupId } = message
              expect([...good.values()].map((other) => other.body)).not.toContain(body)
              expect(left).toContain(body)
              if (fifo) expectInOrder(queue.inspect(name), message, locked)
              good.set(message.receiptHandle, { body, groupId, until: clock.now() + 30_000 })
            }
          } else if (step.kind === 'advance') {
            await clock.advance({ seconds: step.seconds })
          } else if (receiptHandle !== undefined && held !== undefined) {
            if (step.kind === 'hide') {
              await queue.changeVisibility(name, [
                { receiptHandle, visibilitySeconds: step.visibilitySeconds },
              ])
              good.set(receiptHandle, { ...held, until: clock.now() + step.visibilitySeconds * 1000 })
            } else {
              await queue.delete(name, [receiptHandle])
              good.delete(receiptHandle)
              left.delete(held.body)
            }
          }
          const inspected = queue.inspect(name)
          expect(inspected.map(({ body }) => body)).toEqual([...left])
          const inFlight = [...good.values()].filter(({ until }) => until > clock.now()).length
          const visible = left.size - inFlight
          expect(inspected.filter(({ state }) => state === 'visible')).toHaveLength(visible)
          expect(await queue.counts(name)).toEqual({ visible, inFlight, delayed: 0 })
        }
      }),
      { numRuns: 200 },
    )
  },
)
