import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../support/source-files.ts'
import { bundleProgram, type Program } from '../support/worker-process.ts'

// A log that nobody reads any more must not cost a call: a pipe that is closed tells so by an event, which ends a process.

let program: Program

beforeAll(async () => {
  program = await bundleProgram(join(root, 'test/support/closed-output-worker.ts'))
})

afterAll(() => program.remove())

test('a worker whose output is closed ends its calls, batch after batch', async () => {
  const worker = fork(program.path, [], {
    env: { ...process.env, AWS_LAMBDA_FUNCTION_NAME: 'closed-main' },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const exited = once(worker, 'exit')
  await once(worker, 'message')
  worker.stdout?.destroy()
  worker.stderr?.destroy()
  worker.send('go')
  const [answer] = await Promise.race([once(worker, 'message'), exited])
  expect(answer).toEqual([0, 0])
  expect(await exited).toEqual([0, null])
})
