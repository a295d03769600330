import { createExecutor, defineConfig } from 'errand'
import { workerHandler } from 'errand/lambda'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ENV } from '../../src/runtime/config/config.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { PACKAGE_VERSION } from '../../src/runtime/package-version.ts'
import { readReport, reportOf, type WorkerReport } from '../../src/runtime/ports/worker-report.ts'
import { readPackage } from '../support/source-files.ts'

const config = defineConfig({ name: 'shop', workers: ['foo', 'bar'] })
const add = (a: number, b: number) => a + b

/** A worker that is wired to nothing: to open its backend would fail. */
function unwired() {
  const executor = createExecutor(config, { tasks: { add }, backend: 'aws', aws: {} })
  const handler = workerHandler(executor, { worker: 'bar' }) as (event: unknown) => Promise<unknown>
  return { executor, handler }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('a ping', () => {
  test('is answered with what the environment knows, its backend unopened and its hooks not run', async () => {
    vi.stubEnv(ENV.version, '4f2a9c')
    const { executor, handler } = unwired()
    let hooks = 0
    executor.onWorkerStart(() => {
      hooks++
    })
    const answer = (await handler({ errand: 'ping' })) as WorkerReport
    expect(answer).toMatchObject({
      ...{ app: 'shop', worker: 'bar', tasks: ['add'], received: 0, running: 0 },
      ...{ codeVersion: '4f2a9c', errandVersion: PACKAGE_VERSION, nodeVersion: process.versions.node },
    })
    expect(hooks).toBe(0)
    expect(readReport(JSON.parse(JSON.stringify(answer)))).toEqual(answer)
  })

  test('counts what the environment was given', async () => {
    const { handler } = unwired()
    const message = { messageId: 'm', receiptHandle: 'r', body: '{}', eventSourceARN: 'arn:x' }
    const lines = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    await handler({ Records: [message, { ...message, messageId: 'n' }] })
    lines.mockRestore()
    expect(await handler({ errand: 'ping' })).toMatchObject({ received: 2, running: 0 })
  })

  test.each([
    ['an inherited field', Object.create({ errand: 'ping' })],
    ['another word', { errand: 'pong' }],
    ['records beside it', { errand: 'ping', Records: [] }],
    ['nothing', null],
    ['a text', 'ping'],
  ])('is not %s', async (_, event) => {
    const lines = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const answer = await unwired().handler(event)
    lines.mockRestore()
    expect(answer).toEqual({ batchItemFailures: [] })
  })
})

describe('a report', () => {
  const source = { worker: 'foo', codeVersion: undefined, uptimeSeconds: 1, received: 2, running: 1 }

  test('names as many tasks as fit, and says how many more there are', () => {
    const names = Array.from({ length: 500 }, (_, index) => `${'t'.repeat(120)}${index}`)
    const { app } = internalsOf(
      createExecutor(config, { tasks: Object.fromEntries(names.map((name) => [name, () => name])) }),
    )
    const report = reportOf({ app, ...source })
    expect(JSON.stringify({ beatAt: 1e13, report }).length).toBeLessThan(32 * 1024)
    expect(report.tasks.length).toBeGreaterThan(200)
    expect(report.tasks.length + (report.moreTasks ?? 0)).toBe(500)
  })

  test('is read only where it is one, and nothing more of it', () => {
    const { app } = internalsOf(createExecutor(config, { tasks: { add } }))
    const report = reportOf({ app, ...source })
    expect(readReport({ ...report, extra: 1 })).toEqual(report)
    const wrong = [
      ...[null, 'x', [], {}, Object.create(report), { batchItemFailures: [] }],
      ...[{ tasks: 'add' }, { tasks: [1] }, { memoryBytes: -1 }, { running: '1' }, { worker: 1 }].map(
        (part) => ({
          ...report,
          ...part,
        }),
      ),
      { ...report, codeVersion: 5 },
      { ...report, moreTasks: Number.NaN },
    ]
    expect(wrong.map(readReport)).toEqual(wrong.map(() => undefined))
  })

  test('tells the version of the package', () => {
    expect(PACKAGE_VERSION).toBe((readPackage() as unknown as { version: string }).version)
  })
})
