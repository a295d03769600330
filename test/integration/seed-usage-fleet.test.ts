/**
 * The usage page of the Python design that this project adapts, from its chapter on configuration to its command line,
 * snippet by snippet and in its order, in this project's form. What comes before: `seed-usage.test.ts`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createExecutor, defineConfig } from 'errand'
import { testExecutor } from 'errand/testing'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { imports, writeApp } from '../support/app-folder.ts'
import { cleanEnvironment, type RunningCommand, runCommand, startCommand } from '../support/command-line.ts'
import { PATIENCE } from '../support/patience.ts'
import { root } from '../support/source-files.ts'
import { bundleProgram } from '../support/worker-process.ts'

const add = (x: number, y: number) => x + y
const tasks = { add }

describe('Starting Celery, in this process', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('CELERY_START_LOCAL_WORKERS: the first submit starts the workers', async () => {
    const executor = createExecutor(defineConfig({ name: 'dev-config' }), { tasks, backend: 'local' })
    const before = await executor.status()
    expect(before).toEqual({ ping: false, workers: { 'worker-1': 'no answer' } })
    expect(await (await executor.submit(add, 1, 2)).result({ timeoutSeconds: 10 })).toBe(3)
    expect(await executor.status()).toEqual({ ping: true, workers: { 'worker-1': 'OK' } })
    await executor.close()
  })

  test('without it, nothing runs until they are started', async () => {
    const options = { tasks, backend: 'local', local: { startWorkers: false } } as const
    const executor = createExecutor(defineConfig({ name: 'no-workers' }), options)
    const future = await executor.submit(add, 1, 2)
    expect(await executor.status()).toMatchObject({ ping: false })
    expect(await future.state()).toBe('pending')
    await executor.start()
    expect(await future.result({ timeoutSeconds: 10 })).toBe(3)
    await executor.close()
  })

  test.each([
    ['by the option', { backend: 'eager' } as const, undefined],
    ['by the variable', {}, 'eager'],
  ])('CELERY_ALWAYS_EAGER, %s: the call is done when submit returns', async (_, option, variable) => {
    vi.stubEnv('ERRAND_BACKEND', variable)
    const executor = createExecutor(defineConfig({ name: 'test-config' }), { tasks, ...option })
    const future = await executor.submit(add, 1, 2)
    expect(await future.done()).toBe(true)
    await executor.close()
  })
})

describe('Workers', () => {
  test.each([
    ['a number of them', 2, ['worker-1', 'worker-2']],
    ['their names', ['foo', 'bar'], ['foo', 'bar']],
  ] as const)('%s, started, and their status', async (_, workers, names) => {
    const config = defineConfig({ name: `workers-${names[0]}`, workers })
    const executor = createExecutor(config, { tasks, backend: 'local' })
    await executor.start()
    const OK = Object.fromEntries(names.map((name) => [name, 'OK']))
    expect(await executor.status()).toEqual({ ping: true, workers: OK })
    await executor.close()
  })

  // No `pidfile`: on Lambda there is no process of ours, and in a container it is the only one.
  const config = defineConfig({
    name: 'advanced',
    queues: ['low-priority', 'high-priority', 'too_long_queue', 'quick_queue'],
    routes: { 'core.tasks.too_long_task': 'too_long_queue', 'core.tasks.quick_task': 'quick_queue' },
    workers: {
      foo: { concurrency: 10, logLevel: 'error' },
      bar: { concurrency: 5, logLevel: 'info', queues: ['high-priority'] },
    },
  })
  const core = { tasks: { too_long_task: () => 'long', quick_task: () => 'quick' } }
  const executor = createExecutor(config, { tasks: { core, add } })

  test('routes, and the options of each worker', async () => {
    const t = testExecutor(executor)
    await executor.submit(core.tasks.too_long_task)
    await executor.submit(core.tasks.quick_task)
    const { calls } = await executor.inspect.calls()
    expect(calls.map(({ task, queue }) => [task, queue]).sort()).toEqual([
      ['core.tasks.quick_task', 'quick_queue'],
      ['core.tasks.too_long_task', 'too_long_queue'],
    ])
    const { workers } = await executor.inspect.stats()
    expect(workers.foo).toMatchObject({ concurrency: 10, queues: [...executor.config.queues.keys()] })
    expect(workers.bar).toMatchObject({ concurrency: 5, queues: ['high-priority'] })
    await t.drain()
    await t.close()
  })
})

describe('Queues', () => {
  const config = defineConfig({ name: 'two-queues', queues: ['low-priority', 'high-priority'] })

  test('a call is sent to one by its name, which no argument of a task can be taken for', async () => {
    const described = ({ queue }: { queue: string }) => queue
    const executor = createExecutor(config, { tasks: { add, described } })
    const t = testExecutor(executor)
    const sum = await executor.with({ queue: 'high-priority' }).submit(add, 1, 2)
    const own = await executor.submit(described, { queue: 'mine' })
    const { calls } = await executor.inspect.calls({ queue: 'high-priority' })
    expect(calls.map(({ id }) => id)).toEqual([sum.id])
    await t.drain()
    expect([await sum.result(), await own.result()]).toEqual([3, 'mine'])
    await t.close()
  })
})

describe('Monitoring Tools', () => {
  test('active, scheduled, reserved, revoked, registered, stats', async () => {
    const config = defineConfig({ name: 'watched', workers: ['foo', 'bar'] })
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const wait = () => gate
    const executor = createExecutor(config, { tasks: { add, wait }, backend: 'local' })
    const running = await executor.submit(wait)
    await vi.waitFor(async () => expect(await running.running()).toBe(true), PATIENCE)
    const later = await executor.with({ delaySeconds: 600 }).submit(add, 1, 2)
    const revoked = await executor.with({ delaySeconds: 600 }).submit(add, 3, 4)
    await revoked.cancel()

    const { inspect } = executor
    const idsOf = (page: { calls: readonly { id: string }[] }) => page.calls.map(({ id }) => id)
    expect(idsOf(await inspect.active())).toEqual([running.id])
    expect(idsOf(await inspect.scheduled())).toEqual([later.id])
    expect(idsOf(await inspect.revoked())).toEqual([revoked.id])
    expect(await inspect.reserved()).toMatchObject({ queues: { default: 0 }, complete: true })
    expect(await inspect.registered()).toEqual({ foo: ['add', 'wait'], bar: ['add', 'wait'] })
    expect((await inspect.stats()).workers).toMatchObject({ foo: { state: 'OK' }, bar: { state: 'OK' } })
    release()
    await running.result({ timeoutSeconds: 10 })
    await later.cancel()
    await executor.close()
  })
})

/** An app in a function, as `create_app`, and a program that runs a worker of it. */
function writeFactory(): string {
  const app = `${imports}
export async function createApp() {
  const config = defineConfig({ name: 'factory', workers: ['foo', 'bar'] })
  return createExecutor(config, { tasks: { add: (x: number, y: number) => x + y } })
}
`
  const worker = `import { runWorker } from 'errand/worker'
import { createApp } from './app.ts'
void createApp().then((executor) => runWorker(executor, { worker: 'bar' }))
`
  const paths = { 'errand/worker': [join(root, 'src/process-worker/index.ts')] }
  return writeApp({ 'app.ts': app, 'worker.ts': worker }, { paths })
}

test('Command-Line Extensions, and an app that a factory makes', async () => {
  const cwd = writeFactory()
  // FLASK_APP="app:create_app" flask celery …
  const env = { ERRAND_APP: 'app.ts:createApp' }
  const start = (...words: string[]): RunningCommand => {
    const command = startCommand(words, { cwd, env })
    onTestFinished(() => void command.child.kill('SIGKILL'))
    return command
  }
  const end = async (command: RunningCommand) => {
    command.child.kill('SIGTERM')
    expect(await command.ended).toBe(0)
  }
  const jsonOf = async (...words: string[]) =>
    JSON.parse((await runCommand([...words, '--json'], { cwd, env })).stdout)

  // flask celery cluster
  const cluster = start('cluster')
  await cluster.prints('every worker of factory works')

  // flask celery status
  expect(await jsonOf('status')).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })

  // flask celery worker -n foo, and flask celery flower
  const [worker, monitor] = [start('worker', '-n', 'foo'), start('flower', '--port', '0')]
  await worker.prints('worker foo takes calls of "default", 10 at once')
  await monitor.prints('the monitor is at http://127.0.0.1:')

  // celery -A flask_celery.celery worker: a program of your own
  const variables = [...cluster.stdout().matchAll(/^export (\w+)='?(.*?)'?$/gm)]
  const own = Object.fromEntries(variables.map(([, name, value]) => [name, value]))
  const program = await bundleProgram(join(cwd, 'worker.ts'))
  onTestFinished(() => program.remove())
  const child = spawn(process.execPath, [program.path], { env: { ...cleanEnvironment, ...own } })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await vi.waitFor(async () => {
    const { workers } = await jsonOf('inspect', 'stats')
    expect([workers.foo.processes.length, workers.bar.processes.length]).toEqual([2, 2])
  }, PATIENCE)
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  await Promise.all([end(worker), end(monitor)])
  await end(cluster)
})
