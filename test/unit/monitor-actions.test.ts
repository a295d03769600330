import { describe, expect, test } from 'vitest'
import { monitorStage } from '../support/monitor-stage.ts'

type Stage = Awaited<ReturnType<typeof monitorStage>>

/** Does what a program does: the header in place of the form's token. */
async function act({ request }: Stage, path: string, form: Record<string, string> = {}) {
  const response = await request(path, {
    method: 'POST',
    headers: {
      ...{ who: 'manage', 'x-errand-monitor': '1', accept: 'application/json' },
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(form).toString(),
  })
  return { status: response.status, data: (await response.json()) as Record<string, unknown> }
}

/** A call that failed for good, its message kept. */
async function failedCall({ executor, tasks, backend, clock }: Stage, queue: 'low' | 'high' = 'low') {
  const { id } = await executor.with({ queue }).submit(tasks.add, 1, 2)
  const [record] = await backend.store.read([id])
  const failed = {
    ...{ ...record, state: 'failed', reason: 'threw', failedIn: queue, finishedAt: clock.now() },
    lastError: 'Error: no',
  }
  await backend.store.put(failed as never, ['id', 'present'])
  const envelope = { v: 1, id, task: 'add', queue, payloadHash: record?.payloadHash, createdAt: clock.now() }
  const body = JSON.stringify({ ...envelope, dueAt: clock.now(), args: [1, 2] })
  await backend.store.putMessage(id, body, Math.ceil(clock.now() / 1000) + 86_400)
  return id
}

describe('a call', () => {
  test('that waits is cancelled; one that has ended is not', async () => {
    const stage = await monitorStage()
    const { id } = await stage.executor.submit(stage.tasks.add, 1, 2)
    const page = await stage.request(`/calls/${id}`, { headers: { who: 'manage' } })
    expect(await page.text()).toContain(`action="/jobs/calls/${id}/cancel"`)
    expect(await act(stage, `/calls/${id}/cancel`)).toEqual({ status: 200, data: { cancelled: true } })
    expect(await stage.executor.future(id).state()).toBe('cancelled')
    await stage.put({ id: 'done' })
    expect(await act(stage, '/calls/done/cancel')).toEqual({ status: 200, data: { cancelled: false } })
    expect((await act(stage, '/calls/unknown/cancel')).status).toBe(404)
  })

  test('that runs is asked to stop, with a reason', async () => {
    const stage = await monitorStage()
    const now = stage.clock.now()
    await stage.put({ id: 'runs', state: 'running', owner: 'a', leaseUntil: now + 60_000 })
    expect(await act(stage, '/calls/runs/abort', { reason: 'by mistake' })).toMatchObject({
      data: { aborted: true },
    })
    expect(await stage.executor.inspect.call('runs')).toMatchObject({ abortReason: 'by mistake' })
  })

  test('that failed is retried, and shown so at once', async () => {
    const stage = await monitorStage()
    const id = await failedCall(stage)
    expect(await stage.html('/tasks')).toContain('100 %')
    expect(await act(stage, `/calls/${id}/retry`)).toEqual({ status: 200, data: { id } })
    expect(await stage.executor.future(id).state()).toBe('pending')
    expect(await stage.html('/tasks')).not.toContain('100 %')
    const again = await act(stage, '/calls/unknown/retry')
    expect(again.status).toBe(404)
    await stage.put({ id: 'done' })
    expect(await act(stage, '/calls/done/retry')).toMatchObject({
      ...{ status: 400, data: { error: expect.stringContaining('only a call that has failed') } },
    })
  })
})

test('all that failed is counted first, and then retried by the same filter', async () => {
  const stage = await monitorStage()
  const ids = [await failedCall(stage), await failedCall(stage)]
  const other = await failedCall(stage, 'high')
  const asked = await stage.request('/failed/retry?queue=low', { headers: { who: 'manage' } })
  const page = await asked.text()
  expect(page).toContain('Retry <strong>2</strong> failed calls of the queue')
  expect(page).toContain('<input type="hidden" name="queue" value="low">')
  const { data } = await act(stage, '/failed/retry', { queue: 'low' })
  expect(new Set(data.ids as string[])).toEqual(new Set(ids))
  expect(data.refused).toEqual([])
  expect(await stage.executor.future(other).state()).toBe('failed')
})

describe('a queue', () => {
  test('is paused, and resumed', async () => {
    const stage = await monitorStage()
    await act(stage, '/queues/low/pause')
    expect(await stage.html('/queues/low')).toContain('state-paused')
    await act(stage, '/queues/low/resume')
    expect(await stage.html('/queues/low')).not.toContain('state-paused')
    expect((await act(stage, '/queues/nope/pause')).status).toBe(400)
  })

  test('is purged only by its name, typed out', async () => {
    const stage = await monitorStage()
    const future = await stage.executor.submit(stage.tasks.add, 1, 2)
    for (const queue of ['', 'Low', 'low ', 'high']) {
      expect((await act(stage, '/queues/low/purge', { queue })).status).toBe(400)
    }
    expect(await future.state()).toBe('pending')
    expect(await act(stage, '/queues/low/purge', { queue: 'low' })).toMatchObject({
      ...{ status: 200, data: { cancelled: 1, complete: true } },
    })
    expect(await future.state()).toBe('cancelled')
  })
})
