import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createExecutor } from 'errand'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readNotices } from '../../src/runtime/operations/heartbeat.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { containerConfig, containerTasks } from '../support/container-program.ts'
import { root } from '../support/source-files.ts'
import { startWireServers, type WireServers } from '../support/wire-fleet.ts'
import { bundleProgram, type Program } from '../support/worker-process.ts'

// Worker processes on fauxqs and dynalite that are told to stop, and that are killed. Their time runs 20 times as fast.

let program: Program
let wire: WireServers
let sinceMs: number
const children = new Set<ChildProcess>()

beforeAll(async () => {
  program = await bundleProgram(join(root, 'test/support/container-program.ts'))
})
afterAll(() => program.remove())
beforeEach(async () => {
  wire = await startWireServers(['default'])
  sinceMs = systemClock.now()
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await wire.close()
})

/** Starts a worker; its exit is code and signal. */
function start() {
  const env = { CONTAINER_AWS: JSON.stringify(wire.aws), CONTAINER_SINCE_MS: String(sinceMs) }
  const child = fork(program.path, [], {
    env: { ...process.env, ...env },
    execArgv: [],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  children.add(child)
  /** Resolves when its log says so. */
  const says = async (message: string) => {
    for await (const text of child.stderr ?? []) if (String(text).includes(message)) return
  }
  return { child, says, running: once(child, 'message'), exited: once(child, 'exit') }
}

/** The client's side, on the system's time: its futures are polled as anybody's. */
function client() {
  const backend = awsBackend(resolveConfig(containerConfig), wire.aws)
  const executor = createExecutor(containerConfig, { tasks: containerTasks, backend })
  const attemptsOf = async (id: string) => (await backend.store.read([id], { consistent: true }))[0]?.attempts
  return { backend, executor, attemptsOf }
}

test('kill -9 in the middle of a call loses nothing: another process runs it when the lease is over', async () => {
  const { executor, attemptsOf } = client()
  const held = await executor.submit(containerTasks.hold)
  const first = start()
  await first.running
  const waiting = await executor.submit(containerTasks.quick)
  first.child.kill('SIGKILL')
  expect(await first.exited).toEqual([null, 'SIGKILL'])
  start()
  expect(await held.result({ timeoutSeconds: 25 })).toBe('by another')
  expect(await waiting.result({ timeoutSeconds: 25 })).toBe('quick')
  expect(await attemptsOf(held.id)).toBe(2)
  await executor.close()
})

test('SIGTERM lets the call end, begins no other, and the process exits with 0', async () => {
  const { executor, backend, attemptsOf } = client()
  const held = await executor.submit(containerTasks.hold)
  const worker = start()
  await worker.running
  const later = await executor.submit(containerTasks.quick)
  worker.child.kill('SIGTERM')
  worker.child.send('go')
  expect(await worker.exited).toEqual([0, null])
  expect(await held.result()).toBe('at once')
  expect(await attemptsOf(held.id)).toBe(1)
  expect(await later.state()).toBe('pending')
  expect(await backend.queue.counts('default')).toMatchObject({ visible: 1, inFlight: 0 })
  const { processes } = await readNotices(backend.store, systemClock, 'shop')
  expect(processes).toEqual([])
  await executor.close()
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('a second %s ends it at once, with %i, and its call runs elsewhere', async (signal, code) => {
  const { executor } = client()
  const held = await executor.submit(containerTasks.hold)
  const first = start()
  await first.running
  first.child.kill(signal)
  // Two signals that come before it looks are one.
  await first.says('the worker drains')
  first.child.kill(signal)
  const [ended, killedBy] = await first.exited
  expect([ended, killedBy]).toEqual([code, null])
  start()
  expect(await held.result({ timeoutSeconds: 25 })).toBe('by another')
  await executor.close()
})
