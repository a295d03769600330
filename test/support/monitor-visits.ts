/**
 * The pages of a monitor over a busy shop, by name: every one that it has, in every state worth looking at.
 * @module
 */
import type { CallState, FailureReason } from '../../src/runtime/call/record.ts'
import type { BusyShop } from './busy-shop.ts'

/** A page: its address, and the pattern of the route that answers. */
export interface Visit {
  readonly name: string
  readonly path: string
  readonly route: string
  /** What the answer's status is. @default 200 */
  readonly status?: number
}

/** The newest call that is so, of those that the monitor's default look reaches. */
async function newest({ executor }: BusyShop, state: CallState, task?: string): Promise<string> {
  const filter = { state, ...(task !== undefined && { task }) }
  const { calls } = await executor.inspect.calls(filter, { lookAt: 20_000, size: 1 })
  return calls[0]?.id ?? 'none'
}

/** A failed call of each reason that the shop has. */
export async function failedByReason({ executor }: BusyShop): Promise<ReadonlyMap<FailureReason, string>> {
  const ids = new Map<FailureReason, string>()
  let after: string | undefined
  do {
    const options = { lookAt: 20_000, size: 100, ...(after !== undefined && { after }) }
    const page = await executor.inspect.calls({ state: 'failed' }, options)
    for (const { id, reason } of page.calls) if (reason !== undefined && !ids.has(reason)) ids.set(reason, id)
    after = page.next
  } while (after !== undefined)
  return ids
}

/** All of them. */
export async function visitsOf(shop: BusyShop): Promise<readonly Visit[]> {
  const call = async (name: string, state: CallState, task?: string) => ({
    ...{ name: `call-${name}`, path: `/calls/${await newest(shop, state, task)}`, route: '/calls/:id' },
  })
  const reasons = [...(await failedByReason(shop))].map(([reason, id]) => ({
    ...{ name: `call-${reason}`, path: `/calls/${id}`, route: '/calls/:id' },
  }))
  const failed = await shop.executor.inspect.calls(
    { state: 'failed', task: 'orders.charge' },
    { lookAt: 20_000, size: 100 },
  )
  const retried = failed.calls.find(({ attempts }) => attempts > 3)?.id
  const calls = { route: '/calls' }
  return [
    { name: 'overview', path: '/', route: '/' },
    { name: 'calls', path: '/calls', ...calls },
    { name: 'calls-filtered', path: '/calls?state=failed&queue=billing&tenant=acme', ...calls },
    { name: 'calls-none', path: '/calls?task=nobody', ...calls },
    { name: 'calls-refused', path: '/calls?since=yesterday', ...calls, status: 400 },
    { name: 'failed', path: '/failed', route: '/failed' },
    { name: 'failed-some', path: '/failed?task=loyalty.award', route: '/failed' },
    { name: 'failed-none', path: '/failed?task=nobody', route: '/failed' },
    { name: 'retry-all', path: '/failed/retry?task=orders.charge', route: '/failed/retry' },
    { name: 'tasks', path: '/tasks', route: '/tasks' },
    { name: 'schedules', path: '/schedules', route: '/schedules' },
    { name: 'queue', path: '/queues/billing', route: '/queues/:name' },
    { name: 'queue-paused', path: '/queues/imports', route: '/queues/:name' },
    { name: 'call-missing', path: '/calls/nobody', route: '/calls/:id', status: 404 },
    { name: 'call-retried', path: `/calls/${retried}`, route: '/calls/:id' },
    ...reasons,
    await call('running', 'running', 'reports.build'),
    await call('aborted', 'running', 'video.transcode'),
    await call('retrying', 'retrying'),
    await call('pending', 'pending'),
    await call('scheduled', 'scheduled'),
    await call('cancelled', 'cancelled'),
    await call('report', 'succeeded', 'reports.build'),
    await call('kept', 'succeeded', 'search.index'),
  ]
}
