/**
 * An app's module in a web app's development server, which loads it again whenever it is saved: Vite's own, and the local
 * backend in its process.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Executor, Future } from 'errand'
import { createServer } from 'vite'
import { expect, onTestFinished, test, vi } from 'vitest'
import { writeApp } from '../support/app-folder.ts'
import { PATIENCE } from '../support/patience.ts'
import { ownNames, root } from '../support/source-files.ts'

/** What the module's versions share: how many calls run at this moment, and what lets them end. */
interface Gate {
  running: number
  most: number
  open: Promise<void>
}

const moduleText = (version: number) => `
import { createExecutor, defineConfig } from 'errand'

const gate = globalThis.hotReloadGate
export async function hold() {
  gate.running += 1
  gate.most = Math.max(gate.most, gate.running)
  await gate.open
  gate.running -= 1
  return 'version ${version}'
}
const config = defineConfig({ name: 'hot-reload', workers: { main: { concurrency: 4 } } })
export const executor = createExecutor(config, { tasks: { hold }, backend: 'local' })
`

interface Loaded {
  readonly executor: Executor
  readonly hold: () => Promise<string>
}

test('leaves no second worker, and no call behind: what was queued runs with the new code', async () => {
  const opened = Promise.withResolvers<void>()
  const gate: Gate = { running: 0, most: 0, open: opened.promise }
  vi.stubGlobal('hotReloadGate', gate)
  onTestFinished(() => void vi.unstubAllGlobals())
  const cwd = writeApp({ 'errand.ts': moduleText(1) })
  const server = await createServer({
    root: cwd,
    configFile: false,
    logLevel: 'silent',
    appType: 'custom',
    server: { middlewareMode: true, ws: false, hmr: false, watch: null },
    optimizeDeps: { noDiscovery: true },
    resolve: {
      alias: Object.fromEntries([...ownNames].map(([name, path]) => [`${name}`, join(root, path)])),
    },
  })
  onTestFinished(() => server.close())
  const load = async (version: number): Promise<Loaded> => {
    writeFileSync(join(cwd, 'errand.ts'), moduleText(version))
    server.moduleGraph.invalidateAll()
    return (await server.ssrLoadModule('/errand.ts')) as Loaded
  }

  const first = await load(1)
  const futures: Future<string>[] = [...(await first.executor.map(first.hold, Array(12).fill([])))]
  await vi.waitFor(() => expect(gate.running).toBe(4), PATIENCE)
  let last = first
  for (const version of [2, 3, 4]) {
    last = await load(version)
    futures.push(await last.executor.submit(last.hold))
  }
  expect(last.executor).not.toBe(first.executor)
  expect(await last.executor.status()).toEqual({ ping: true, workers: { main: 'OK' } })
  // Whatever more workers there were would have begun some of what waits.
  const visible = async () => (await last.executor.inspect.queues()).default?.visible
  await vi.waitFor(async () => expect(await visible()).toBe(11), PATIENCE)
  expect(gate.running).toBe(4)

  opened.resolve()
  const values = await Promise.all(futures.map((future) => last.executor.future(future.id).result()))
  expect(values.slice(0, 4)).toEqual(Array(4).fill('version 1'))
  expect(values.slice(4)).toEqual(Array(11).fill('version 4'))
  expect(gate.most).toBe(4)
  await last.executor.close()
})
