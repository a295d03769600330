import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualClock } from 'errand/local-emulator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type WorkerProcess, watchLoop } from '../../src/cli/cluster/child-process.ts'
import { keepWorker } from '../../src/cli/cluster/kept-worker.ts'
import {
  findRunningCluster,
  readClusterFile,
  writeClusterFile,
} from '../../src/cli/local-aws/cluster-file.ts'

/** A process that ends, comes to work and drains when the test says so. */
function madeProcess(name: string, log: string[]) {
  const [ready, ended] = [Promise.withResolvers<boolean>(), Promise.withResolvers<string>()]
  const process: WorkerProcess = {
    pid: undefined,
    ready: Promise.race([ready.promise, ended.promise.then(() => false)]),
    ended: ended.promise,
    drain() {
      log.push(`${name} drains`)
      ended.resolve('exit code 0')
    },
    kill: () => ended.resolve('signal SIGKILL'),
  }
  return { process, works: () => ready.resolve(true), ends: () => ended.resolve('exit code 1') }
}

/** Lets what is settled be heeded. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('a worker that is kept', () => {
  test('and that was started again while its replacement started: the one that runs drains, and none is left', async () => {
    const log: string[] = []
    const clock = virtualClock()
    const old = [madeProcess('first', log), madeProcess('second', log)]
    let begun = 0
    const kept = keepWorker(() => old[begun++]?.process as WorkerProcess, {
      clock,
      say: (line) => log.push(line),
    })
    old[0]?.works()
    const replacement = madeProcess('new', log)
    const replacing = kept.replace(() => replacement.process)
    old[0]?.ends()
    await settled()
    await clock.advance({ seconds: 1 })
    old[1]?.works()
    replacement.works()
    expect(await replacing).toBe(true)
    expect(log).toEqual(['ended with exit code 1; it is started again in 1 s', 'second drains'])
    await kept.drain()
    expect(log.slice(2)).toEqual(['new drains'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('and whose replacement does not come to work goes on', async () => {
    const log: string[] = []
    const old = madeProcess('old', log)
    const kept = keepWorker(() => old.process, { clock: virtualClock(), say: (line) => log.push(line) })
    const bad = madeProcess('bad', log)
    const replacing = kept.replace(() => bad.process)
    bad.ends()
    expect(await replacing).toBe(false)
    await kept.drain()
    expect(log).toEqual(['old drains'])
  })
})

describe('a worker whose event loop is watched', () => {
  function watched() {
    const clock = virtualClock()
    const killed: string[] = []
    const child = new EventEmitter() as EventEmitter & { kill(signal: string): boolean }
    child.kill = (signal) => killed.push(signal) > 0
    const stop = watchLoop(child as never, { clock, timeoutSeconds: 5, say: () => {} })
    return { clock, killed, child, stop }
  }

  test('is killed where it has not beaten for its time-out', async () => {
    const on = watched()
    await on.clock.advance({ seconds: 4 })
    on.child.emit('message', { told: 'beat' })
    await on.clock.advance({ milliseconds: 5999 })
    expect(on.killed).toEqual([])
    await on.clock.advance({ milliseconds: 1 })
    expect(on.killed).toEqual(['SIGKILL'])
  })

  test('is not where its beats came while its parent was held up, and are read late', async () => {
    const on = watched()
    await on.clock.advance({ milliseconds: 5500 })
    on.child.emit('message', { told: 'beat' })
    await on.clock.advance({ seconds: 5 })
    expect(on.killed).toEqual([])
    on.stop()
    await on.clock.advance({ hours: 1 })
    expect(on.killed).toEqual([])
    expect(on.child.listenerCount('message')).toBe(0)
  })
})

describe('the file of a cluster', () => {
  test('whose process is there but is another by now is passed over: nobody listens', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'errand-cluster-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'package.json'), '{}')
    const owner = { name: 'shop', modulePath: join(folder, 'errand.ts') }
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const variables = { AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}` }
    writeClusterFile(owner, { app: 'shop', pid: process.pid, variables })
    expect(await findRunningCluster(owner)).toMatchObject({ pid: process.pid })
    await new Promise((resolve) => server.close(resolve))
    expect(readClusterFile(owner)).toMatchObject({ pid: process.pid })
    expect(await findRunningCluster(owner)).toBeUndefined()
    writeClusterFile(owner, { app: 'shop', pid: process.pid, variables: {} })
    expect(await findRunningCluster(owner)).toBeUndefined()
  })
})
