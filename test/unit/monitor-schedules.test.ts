import { createExecutor, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { monitor } from 'errand/monitor'
import { expect, onTestFinished, test } from 'vitest'

/** An app whose nightly report has failed, and its monitor. */
async function stage(schedules = {}) {
  const clock = virtualClock(Date.UTC(2026, 10, 24))
  const config = defineConfig({ name: 'shop', taskOptions: { build: { maxAttempts: 1 } }, schedules })
  const build = (): never => {
    throw new Error('token=tok_1 <b>')
  }
  const executor = createExecutor(config, { tasks: { build }, backend: 'local', local: { clock } })
  onTestFinished(() => executor.close())
  await executor.start()
  await clock.advance({ hours: 3 })
  const app = monitor(executor, { authorize: (c) => (c.req.header('who') === 'manage' ? 'manage' : 'read') })
  const get = async (path: string, who = 'read') => (await app.request(path, { headers: { who } })).text()
  const post = async (path: string, who = 'manage') => {
    const headers = { who, 'x-errand-monitor': '1', accept: 'application/json' }
    const response = await app.request(path, { method: 'POST', headers })
    return { status: response.status, data: (await response.json()) as Record<string, unknown> }
  }
  return { clock, executor, get, post }
}

const nightly = { task: 'build', cron: '0 2 * * *' }

test('the page of schedules shows when each is due, and what became of its last run', async () => {
  const { get } = await stage({ nightly, off: { ...nightly, enabled: false } })
  const page = await get('/schedules')
  expect(page).toContain('<code>cron(0 2 * * ? *)</code>')
  expect(page).toContain('datetime="2026-11-25T02:00:00.000Z"')
  expect(page).toContain('href="/calls/schedule%3Anightly%3A20261124T020000Z"')
  expect(page).toMatch(/state-failed">failed/)
  expect(page).toMatch(/state-paused">paused/)
  expect(page).not.toContain('tok_1')
  expect(page).not.toContain('<b>')
  // Who may only look is offered no buttons.
  expect(page).not.toContain('Run now')
  expect(await get('/schedules', 'manage')).toContain('action="/schedules/nightly/pause"')
  expect(JSON.parse(await get('/schedules?format=json'))).toMatchObject({
    schedules: [{ name: 'nightly' }, {}],
  })
})

test('a schedule is run now, paused and resumed', async () => {
  const { get, post, executor, clock } = await stage({ nightly })
  const { status, data } = await post('/schedules/nightly/run')
  expect(status).toBe(200)
  await clock.advance({ seconds: 1 })
  expect(await executor.future(String(data.id)).state()).toBe('failed')
  expect(await post('/schedules/nightly/pause')).toEqual({ status: 200, data: { paused: true } })
  expect(await get('/schedules', 'manage')).toContain('action="/schedules/nightly/resume"')
  expect(await post('/schedules/nightly/resume')).toEqual({ status: 200, data: { paused: false } })
  expect((await post('/schedules/unknown/pause')).status).toBe(400)
  expect((await post('/schedules/nightly/pause', 'read')).status).toBe(403)
})

test('an app without schedules has no such entry', async () => {
  const { get } = await stage()
  expect(await get('/')).not.toContain('Schedules')
})
