/**
 * `errand cluster` in the flights example, and other terminals that use it: real processes, SQS and DynamoDB on the wire.
 * @module
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type CommandRun,
  isThere,
  type RunningCommand,
  runCommand,
  startCommand,
} from '../support/command-line.ts'
import { PATIENCE } from '../support/patience.ts'
import { root } from '../support/source-files.ts'

// A command starts a process that builds the app, and most tests give several commands.
vi.setConfig({ testTimeout: 90_000 })

const cwd = join(root, 'examples/flights')
const run = (...words: string[]): Promise<CommandRun> => runCommand(words, { cwd })
const jsonOf = async (...words: string[]) => JSON.parse((await run(...words, '--json')).stdout)

const chunk = JSON.stringify({
  from: 0,
  to: 1000,
  filter: { minDistance: 0, maxDistance: 5000 },
  pauseMs: 0,
})

let cluster: RunningCommand
beforeAll(async () => {
  cluster = startCommand(['cluster'], { cwd })
  await cluster.prints('every worker of flights works')
})
afterAll(async () => {
  cluster.child.kill('SIGKILL')
  await cluster.ended
})

/** The processes of the workers. */
async function workerPids(): Promise<number[]> {
  const { workers } = (await jsonOf('inspect', 'stats')) as {
    workers: Record<string, { processes: { processId: string }[] }>
  }
  return Object.values(workers).flatMap(({ processes }) =>
    processes.map(({ processId }) => Number(/-(\d+)-.{6}$/.exec(processId)?.[1])),
  )
}

describe('a cluster', () => {
  test('brings up the two workers by their names', async () => {
    expect(await jsonOf('status')).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })
    const plain = await run('status')
    expect(plain).toMatchObject({ code: 0, stdout: 'worker\tstatus\nfoo\tOK\nbar\tOK\n' })
    expect(plain.stderr).toContain('the cluster of flights on this machine')
  })

  test('completes a call that another process submits', async () => {
    const submitted = await run('submit', 'reports.summarise', chunk, '--wait', '30', '--json')
    expect(submitted.code).toBe(0)
    const { id, state, value } = JSON.parse(submitted.stdout)
    expect(state).toBe('succeeded')
    expect(value.hours).toHaveLength(24)
    const later = await run('result', id, '--json')
    expect(JSON.parse(later.stdout)).toEqual({ id, state, value })
  })

  test('has a monitor of its own, which may act', async () => {
    await cluster.prints('the monitor is at http://127.0.0.1:')
    const [, url = ''] = /the monitor is at (\S+)/.exec(cluster.output()) ?? []
    const opened = await fetch(url, { redirect: 'manual' })
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
    const { origin } = new URL(url)
    expect((await fetch(origin)).status).toBe(401)
    const data = await (await fetch(`${origin}/?format=json`, { headers: { cookie } })).json()
    const { workers } = data as { workers: { value: Record<string, { state: string }> } }
    expect(workers.value).toMatchObject({ foo: { state: 'OK' }, bar: { state: 'OK' } })
    const queue = await (await fetch(`${origin}/queues/reports`, { headers: { cookie } })).text()
    expect(queue).toContain('action="/queues/reports/pause"')
  })

  test('is watched on a page, whose address holds a token', async () => {
    const monitor = startCommand(['monitor', '--port', '0'], { cwd })
    try {
      await monitor.prints('the monitor is at http://')
      const [, url = ''] = /the monitor is at (\S+)/.exec(monitor.output()) ?? []
      const opened = await fetch(url, { redirect: 'manual' })
      const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
      const { origin } = new URL(url)
      expect((await fetch(origin)).status).toBe(401)
      const page = await (await fetch(origin, { headers: { cookie } })).text()
      expect(page).toContain('reports')
    } finally {
      monitor.child.kill('SIGTERM')
      expect(await monitor.ended).toBe(0)
    }
  })

  test('submits once under a key', async () => {
    const submit = ['submit', 'reports.summarise', chunk, '--key', 'once']
    const [first, second] = [await run(...submit), await run(...submit)]
    expect(second.stdout).toBe(first.stdout)
  })

  test('shows its schedules, and stops and starts them', async () => {
    const nightly = { name: 'nightly', task: 'reports.nightly', expression: 'cron(0 2 * * ? *)' }
    expect(await jsonOf('inspect', 'schedules')).toMatchObject([{ ...nightly, state: 'enabled' }])
    expect(await jsonOf('schedule', 'pause', 'nightly')).toEqual({ schedule: 'nightly', paused: true })
    expect(await jsonOf('inspect', 'schedules')).toMatchObject([{ ...nightly, state: 'paused' }])
    expect(await jsonOf('schedule', 'resume', 'nightly')).toEqual({ schedule: 'nightly', paused: false })
  })

  test('shows queues, calls and tasks', async () => {
    expect(await jsonOf('inspect', 'queues')).toMatchObject({ reports: { dead: 0, paused: false } })
    expect(await jsonOf('inspect', 'registered')).toEqual({
      foo: ['reports.nightly', 'reports.summarise'],
      bar: ['reports.nightly', 'reports.summarise'],
    })
    const { calls } = await jsonOf('inspect', 'calls', '--task', 'reports.summarise', '--since', '10m')
    expect(calls.length).toBeGreaterThan(0)
    expect((await run('inspect', 'calls')).stdout).toMatch(/^id\ttask\tqueue\tstate/)
    for (const what of ['active', 'scheduled', 'revoked']) {
      expect(await jsonOf('inspect', what)).toMatchObject({ calls: [] })
    }
    expect(await jsonOf('inspect', 'reserved')).toMatchObject({ queues: { reports: 0 } })
  })

  test('cancels what waits, and says so of what has ended', async () => {
    const { stdout } = await run('submit', 'reports.summarise', chunk, '--delay', '900')
    const id = stdout.trim()
    expect(await jsonOf('inspect', 'scheduled')).toMatchObject({ calls: [{ id, state: 'scheduled' }] })
    expect(await run('result', id)).toMatchObject({ code: 1, stdout: '' })
    expect(await jsonOf('cancel', id)).toEqual({ id, cancelled: true })
    expect(await run('result', id, '--json')).toMatchObject({ code: 1 })
    expect(await run('retry', id)).toMatchObject({ code: 1 })
    expect((await run('abort', id)).stdout).toBe('not aborted: it has ended\n')
  })

  test('lists what failed, and tries it again', async () => {
    const submitted = await run('submit', 'reports.summarise', 'null', '--wait', '60')
    expect(submitted.code).toBe(1)
    expect(submitted.stderr).toMatch(/failed \(threw\) after 3 attempts: .*null/)
    const { calls } = await jsonOf('inspect', 'calls', '--state', 'failed')
    expect(await jsonOf('retry', '--failed', '--since', '1h')).toEqual({ ids: [calls[0].id], refused: [] })
  })

  test('is purged, without a terminal only where that is confirmed', async () => {
    const refused = await run('purge', 'reports')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('say --yes where that is meant')
    expect(await jsonOf('purge', 'reports', '--yes')).toMatchObject({ queue: 'reports', complete: true })
  })

  test('runs once: a second cluster is refused (F-50)', async () => {
    const second = await run('cluster')
    expect(second.code).toBe(2)
    expect(second.stderr).toContain(`a cluster of "flights" runs already, as process ${cluster.child.pid}`)
  })

  test('takes another worker, which drains at Ctrl-C', async () => {
    const worker = startCommand(['worker', '-n', 'foo'], { cwd })
    await worker.prints('worker foo takes calls of "reports", 4 at once')
    expect((await jsonOf('inspect', 'stats')).workers.foo.processes).toHaveLength(2)
    worker.child.kill('SIGINT')
    expect(await worker.ended).toBe(0)
    expect((await jsonOf('inspect', 'stats')).workers.foo.processes).toHaveLength(1)
  })

  test('starts a worker that was killed again', async () => {
    const [pid = 0] = await workerPids()
    process.kill(pid, 'SIGKILL')
    await cluster.prints(/foo +\| ended with signal SIGKILL; it is started again/)
    await vi.waitFor(async () => expect(await workerPids()).toHaveLength(3), PATIENCE)
  })

  test('leaves nothing behind when it is killed itself', async () => {
    const pids = (await workerPids()).filter(isThere)
    expect(pids).toHaveLength(2)
    cluster.child.kill('SIGKILL')
    await cluster.ended
    await vi.waitFor(() => expect(pids.filter(isThere)).toEqual([]), PATIENCE)
    const status = await run('status')
    expect(status.code).toBe(4)
    expect(status.stderr).toContain('no fleet of "flights" is known here')
  })
})
