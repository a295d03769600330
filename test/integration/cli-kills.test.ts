/**
 * A cluster whose workers are killed, block, or die at once, and that is ended in every way.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test, vi } from 'vitest'
import { writeApp } from '../support/app-folder.ts'
import { isThere, type RunningCommand, runCommand, startCommand } from '../support/command-line.ts'
import { PATIENCE } from '../support/patience.ts'

/** Each task leaves its process's id behind; what it does then, it does in its first attempt alone. */
const tasks = `import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createExecutor, currentTask, defineConfig } from 'errand'

const mark = (path: string) => {
  writeFileSync(path, String(process.pid))
  return currentTask.attempt === 1
}
export async function wait(path: string) {
  if (mark(path)) await sleep(60_000, undefined, { signal: currentTask.signal })
  return currentTask.attempt
}
export function spin(path: string) {
  if (mark(path)) for (;;) {}
  return currentTask.attempt
}
`

function appWith(config: string, { onTestFinished }: TestContext, more = ''): string {
  const made = `export const executor = createExecutor(defineConfig(${config}), { tasks: { wait, spin } })`
  return writeApp({ 'errand.ts': `${tasks}${made}\n${more}\n` }, {}, onTestFinished)
}

/** Starts a cluster that ends with its test. */
function startCluster(cwd: string, { onTestFinished }: TestContext): RunningCommand {
  const cluster = startCommand(['cluster'], { cwd })
  onTestFinished(async () => {
    cluster.child.kill('SIGKILL')
    await cluster.ended
  })
  return cluster
}

/** Submits a task; resolves once it runs, with its call's id and its process's. */
async function begin(cwd: string, task: string, ...more: string[]): Promise<{ id: string; pid: number }> {
  const path = join(cwd, `${task}-${more.join('')}.pid`)
  const { stdout, stderr, code } = await runCommand(['submit', task, JSON.stringify(path), ...more], { cwd })
  if (code !== 0) throw new Error(`the submit ended with ${code}: ${stderr}`)
  await vi.waitUntil(() => existsSync(path), PATIENCE)
  return { id: stdout.trim(), pid: Number(readFileSync(path, 'utf8')) }
}

test.concurrent('a worker that is killed, or blocks, loses no call, and is not left behind', async (context) => {
  const { expect } = context
  const cwd = appWith(
    `{
    name: 'kills',
    queues: { a: { visibilitySeconds: 10 }, b: { visibilitySeconds: 10 } },
    workers: { foo: { timeoutSeconds: 10, queues: ['a'] }, bar: { timeoutSeconds: 10, queues: ['b'] } },
    routes: { wait: 'a', spin: 'b' },
  }`,
    context,
  )
  const cluster = startCluster(cwd, context)
  await cluster.prints('every worker of kills works')
  const [waiting, spinning] = [await begin(cwd, 'wait'), await begin(cwd, 'spin')]
  process.kill(waiting.pid, 'SIGKILL')
  await cluster.prints(/foo +\| ended with signal SIGKILL; it is started again/)
  await cluster.prints(
    /bar +\| its event loop was blocked for over 10 s, its time-out: killed, as Lambda does/,
  )
  // It is told of before the system has ended and its parent has reaped it.
  await vi.waitUntil(() => !isThere(spinning.pid), PATIENCE)
  // A lease lasts for 60 s: so long nobody else may run them.
  for (const { id } of [waiting, spinning]) {
    const { stdout, code } = await runCommand(['result', id, '--wait', '90', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', value: 2 })
    expect(code).toBe(0)
  }
  const again = await begin(cwd, 'spin', '--key', 'again')
  cluster.child.kill('SIGKILL')
  await cluster.ended
  await vi.waitUntil(() => !isThere(again.pid), PATIENCE)
})

test.concurrent('a worker that dies at once is started again after a while that grows', async (context) => {
  const { expect } = context
  const cwd = appWith("{ name: 'dying' }", context, 'executor.onWorkerStart(() => process.exit(3))')
  const cluster = startCluster(cwd, context)
  await cluster.prints(/worker-1 +\| ended with exit code 3; it is started again in 1 s/)
  await cluster.prints(/worker-1 +\| ended with exit code 3; it is started again in 2 s/)
  await cluster.prints(/not every worker of dying works/)
  cluster.child.kill('SIGTERM')
  expect(await cluster.ended).toBe(0)
})

test.concurrent('a start hook that throws is told of, escape sequences taken out', async (context) => {
  const hook = "executor.onWorkerStart(() => { throw new Error('no \\u001b[31mdatabase\\u001b[0m') })"
  const cluster = startCluster(appWith("{ name: 'hook' }", context, hook), context)
  await cluster.prints(/worker-1 +\| Error: no database/)
  await cluster.prints(/worker-1 +\|.* at .*errand\.ts:/)
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test.concurrent(`${signal} once drains, twice ends everything at once`, async (context) => {
    const { expect } = context
    const cwd = appWith("{ name: 'ends' }", context)
    const cluster = startCluster(cwd, context)
    await cluster.prints('every worker of ends works')
    const { pid } = await begin(cwd, 'wait')
    cluster.child.kill(signal)
    await cluster.prints('draining; Ctrl-C again ends it at once')
    expect(isThere(pid)).toBe(true)
    cluster.child.kill(signal)
    expect(await cluster.ended).toBe(code)
    await vi.waitUntil(() => !isThere(pid), PATIENCE)
  })
}
