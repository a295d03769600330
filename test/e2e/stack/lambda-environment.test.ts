import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { FunctionSettings } from './function-settings.ts'
import { type StackFunction, stackFunction } from './lambda-function.ts'

// What AWS's runtime client does with handlers that are not ours: the ground that the scenarios stand on.
const HANDLERS = `
let calls = 0
export const echo = async (event) => ({ event, calls: ++calls })
export const nothing = async () => {}
export const throws = async () => { throw new RangeError('too far') }
export const neverSettles = () => new Promise(() => {})
export const exits = async () => process.exit(0)
export const crashes = () => new Promise(() => setTimeout(() => { throw new Error('uncaught') }, 1))
export const blocks = async () => { for (;;); }
export const answersBigint = async () => ({ big: 1n })
export const rejectsBehind = async () => { void Promise.reject(new Error('behind')); return 'answered' }
let late
export const leavesRejection = async () => {
  late ??= new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 300))
  if (++calls > 1) await new Promise((resolve) => setTimeout(resolve, 1000))
  return 'answered'
}
export const hoards = async () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)) }
export const context = async (event, context) => ({
  remaining: context.getRemainingTimeInMillis(), id: context.awsRequestId, arn: context.invokedFunctionArn,
  memory: context.memoryLimitInMB, name: context.functionName,
})
`
const folder = mkdtempSync(join(tmpdir(), 'errand-handlers-'))
writeFileSync(join(folder, 'index.mjs'), HANDLERS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function lambda(handler: string, settings: Partial<FunctionSettings> = {}): StackFunction {
  const made = stackFunction(
    {
      logicalId: handler,
      name: `harness-${handler}`,
      functionArn: `arn:aws:lambda:us-east-1:000000000000:function:harness-${handler}`,
      handler: `index.${handler}`,
      codeFolder: folder,
      memoryMiB: 128,
      timeoutSeconds: 5,
      logFormat: 'JSON',
      logLevel: 'INFO',
      variables: {},
      ...settings,
    },
    {},
  )
  onTestFinished(() => made.close())
  return made
}

test('200 invocations run in one environment', async () => {
  const echo = lambda('echo')
  for (let calls = 1; calls <= 200; calls++) {
    expect(await echo.invoke({ calls })).toEqual({ ok: true, payload: { event: { calls }, calls } })
  }
  expect(echo.environments()).toHaveLength(1)
})

test('a handler is told of its invocation', async () => {
  const { payload } = (await lambda('context').invoke({})) as { payload: Record<string, unknown> }
  expect(payload).toEqual({
    remaining: expect.any(Number),
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:harness-context',
    memory: '128',
    name: 'harness-context',
  })
  expect(payload.remaining).toBeGreaterThan(4000)
  expect(payload.remaining).toBeLessThanOrEqual(5000)
})

test('a handler that returns nothing answers null', async () => {
  expect(await lambda('nothing').invoke({})).toEqual({ ok: true, payload: null })
})

test.each([
  ['throws', 'RangeError', 'too far'],
  ['answersBigint', 'Runtime.JSONStringifyError', 'Unable to stringify'],
  ['exits', 'Runtime.ExitError', 'without providing a reason'],
  ['crashes', 'Runtime.ExitError', 'exit status 1'],
  ['hoards', 'Runtime.ExitError', 'signal: SIGABRT'],
  ['rejectsBehind', 'Runtime.ExitError', 'exit status 1'],
  // Were this answered with null, a mapping would take it for success.
  ['neverSettles', 'Runtime.ExitError', 'without providing a reason'],
  ['isMissing', 'Runtime.HandlerNotFound', 'index.isMissing is undefined or not exported'],
])('a handler that %s: the invocation fails with %s', async (handler, name, message) => {
  const made = lambda(handler)
  const result = await made.invoke({})
  expect(result).toMatchObject({ ok: false, error: { name } })
  expect(String(!result.ok && result.error.message)).toContain(message)
})

test('a handler that blocks is killed at the time-out, and the next invocation gets a new environment', async () => {
  const blocks = lambda('blocks', { timeoutSeconds: 1 })
  for (const count of [1, 2]) {
    const result = await blocks.invoke({})
    expect(result).toMatchObject({ ok: false, error: { message: 'Task timed out after 1.00 seconds' } })
    expect(blocks.environments()).toHaveLength(count)
  }
})

test('a rejection that is left behind kills the environment in its next invocation', async () => {
  const leaves = lambda('leavesRejection')
  expect(await leaves.invoke({})).toEqual({ ok: true, payload: 'answered' })
  expect(await leaves.invoke({})).toMatchObject({ ok: false, error: { name: 'Runtime.ExitError' } })
  expect(leaves.environments()).toHaveLength(1)
  expect(await leaves.invoke({})).toEqual({ ok: true, payload: 'answered' })
  expect(leaves.environments()).toHaveLength(2)
})

test('an environment that has answered stands still', async () => {
  const echo = lambda('echo')
  await echo.invoke({})
  const pid = String(echo.environments()[0]?.pid)
  await expect.poll(() => execFileSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' })).toMatch(/^T/)
  await echo.close()
  expect(spawnSync('ps', ['-p', pid]).status).toBe(1)
})
