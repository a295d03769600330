/**
 * `errand dev`: workers that follow the code, and a command beside them.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { processesBelow, stillThere } from '../../src/cli/cluster/processes-below.ts'
import { imports, writeApp } from '../support/app-folder.ts'
import { type RunningCommand, runCommand, startCommand } from '../support/command-line.ts'
import { PATIENCE } from '../support/patience.ts'

const app = `${imports}
import { answer } from './answer.ts'
export const executor = createExecutor(defineConfig({ name: 'dev' }), { tasks: { answer } })
`
/** Says what it was asked, so that the cluster's output tells which code ran. */
const answers = (value: string) => `export const answer = (asked: string) => {
  console.log(asked + ' is answered ' + ${value})
  return ${value}
}
`

function startDev(cwd: string, ...words: string[]): RunningCommand {
  const dev = startCommand(['dev', ...words], { cwd })
  onTestFinished(async () => {
    dev.child.kill('SIGKILL')
    await dev.ended
  })
  return dev
}

test('reloads what is saved, keeps what runs when it is wrong, and loses no call', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  const save = (text: string) => writeFileSync(join(cwd, 'answer.ts'), text)
  const submit = (...words: string[]) => runCommand(['submit', 'answer', ...words], { cwd })
  const dev = startDev(cwd)
  await dev.prints('every worker of dev works')
  expect((await submit('"first"', '--wait', '30')).stdout).toBe('1\n')

  await submit('"second"', '--delay', '5')
  save('export const answer = () => (\n')
  await dev.prints('the code that ran before goes on')
  expect(dev.output()).toMatch(/answer\.ts:2:0:\n.*│/)
  await dev.prints('second is answered 1')

  save("throw new Error('thrown at import')\nexport const answer = () => 3\n")
  await dev.prints('thrown at import')
  save(answers('1 + 1'))
  await dev.prints('errand: reloaded')
  expect((await submit('"third"', '--wait', '30')).stdout).toBe('2\n')

  dev.child.kill('SIGINT')
  expect(await dev.ended).toBe(0)
})

test('a config with another name, queue and worker is followed', async () => {
  const config = (name: string, more = '') => `export const config = { name: '${name}'${more} } as const\n`
  const cwd = writeApp({
    'errand.ts': `import { createExecutor, defineConfig } from 'errand'
import { config } from './config.ts'
export const executor = createExecutor(defineConfig(config), { tasks: { add: (a: number, b: number) => a + b } })
`,
    'config.ts': config('grows'),
  })
  const dev = startDev(cwd)
  await dev.prints('every worker of grows works')
  writeFileSync(
    join(cwd, 'config.ts'),
    config('grown', ", queues: ['default', 'more'], workers: ['worker-1', 'other']"),
  )
  await dev.prints('errand: reloaded')
  const status = await runCommand(['status', '--json'], { cwd })
  expect(JSON.parse(status.stdout)).toEqual({ ping: true, workers: { 'worker-1': 'OK', other: 'OK' } })
  const sum = await runCommand(['submit', 'add', '1', '2', '--queue', 'more', '--wait', '30'], { cwd })
  expect(sum.stdout).toBe('3\n')
  expect(readdirSync(join(cwd, 'node_modules/.cache/errand'))).toEqual([expect.stringMatching(/^grown-/)])
  // The monitor was there from the start, and follows the config at the same port.
  await expect.poll(() => dev.output().match(/the monitor is at \S+/g)?.length).toBe(2)
  const [before = '', now = ''] = dev.output().match(/http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/g) ?? []
  expect(new URL(now).port).toBe(new URL(before).port)
  const opened = await fetch(now, { redirect: 'manual' })
  const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await fetch(new URL('/queues/more', now), { headers: { cookie } })).status).toBe(200)
})

test('the command beside it gets the variables, and ends it with its exit code', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  const script = 'console.log("table", process.env.ERRAND_TABLE, process.env.ERRAND_BACKEND); process.exit(7)'
  const dev = startDev(cwd, '--', process.execPath, '-e', script)
  expect(await dev.ended).toBe(7)
  expect(dev.output()).toContain('table dev-calls aws')
})

/** Kills it once what runs beside it has told its process: all that is below it must end then. */
async function endsWith(dev: RunningCommand): Promise<void> {
  await dev.prints(/pid \d+/)
  const pid = Number(/pid (\d+)/.exec(dev.output())?.[1])
  const below = processesBelow(dev.child.pid ?? 0)
  expect(below.map((each) => each.pid)).toContain(pid)
  dev.child.kill('SIGKILL')
  await vi.waitFor(() => expect(stillThere(below)).toEqual([]), PATIENCE)
  // Whoever else holds its output open.
  await dev.ended
}

test('that changes are not seen any more is said, and the workers go on', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  const dev = startDev(cwd, '--no-monitor')
  await dev.prints('every worker of dev works')
  const all = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
  const [, watcher] = new RegExp(`^ *(\\d+) +${dev.child.pid} .*watch-child`, 'm').exec(all) ?? []
  process.kill(Number(watcher), 'SIGKILL')
  await dev.prints('the process that watches the code ended with signal SIGKILL')
  expect((await runCommand(['submit', 'answer', '"on"', '--wait', '30'], { cwd })).stdout).toBe('1\n')
  dev.child.kill('SIGTERM')
  expect(await dev.ended).toBe(0)
})

test('the command beside it ends with it, however that is: no server is left on its port', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  // It does not heed SIGTERM.
  const script =
    "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('pid', process.pid)"
  const dev = startDev(cwd, '--', process.execPath, '-e', script)
  await endsWith(dev)
})

test('so does what a shell runs', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  // A shell that has more to do waits, and is ended without a word to what it waits for.
  const script = 'sleep 600 & echo pid $!; wait; true'
  const dev = startDev(cwd, '--no-monitor', '--', 'sh', '-c', script)
  await endsWith(dev)
})

test('a command that is not there is named', async () => {
  const cwd = writeApp({ 'errand.ts': app, 'answer.ts': answers('1') })
  const run = await runCommand(['dev', '--', 'no-such-command'], { cwd })
  expect(run.code).toBe(2)
  expect(run.stderr).toContain('the command "no-such-command" cannot be started')
})
