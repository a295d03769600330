import { fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../support/source-files.ts'
import { bundleProgram, type Program } from '../support/worker-process.ts'

// A log that nobody reads any more must not cost a call: a pipe that is closed tells so by an event, which ends a process.

let program: Program

beforeAll(async () => {
  program = await bundleProgram(join(root, 'test/support/output-worker.ts'))
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

/** What a task writes without an end of line stands before errand's lines, wherever the two outputs lead. */
test.each(['one file', 'a file each'])(
  'a worker whose tasks leave a line unfinished keeps its own lines whole, both outputs in %s',
  async (where) => {
    const folder = mkdtempSync(join(tmpdir(), 'errand-output-'))
    const stdout = openSync(join(folder, 'out'), 'a')
    const stderr = where === 'one file' ? stdout : openSync(join(folder, 'err'), 'a')
    const worker = fork(program.path, [], {
      env: { ...process.env, AWS_LAMBDA_FUNCTION_NAME: 'main', TASK_WRITES: 'half' },
      execArgv: [],
      stdio: ['ignore', stdout, stderr, 'ipc'],
    })
    const exited = once(worker, 'exit')
    await once(worker, 'message')
    worker.send('go')
    await exited
    for (const file of new Set([stdout, stderr])) closeSync(file)
    const names = where === 'one file' ? ['out'] : ['out', 'err']
    const text = names.map((name) => readFileSync(join(folder, name), 'utf8')).join('')
    rmSync(folder, { recursive: true })
    const ours = text.split('\n').filter((line) => line.includes('{'))
    const lines = ours.map((line) => JSON.parse(line) as { _aws?: object; message?: string })
    expect(lines.filter(({ _aws }) => _aws !== undefined)).toHaveLength(2)
    expect(lines.filter(({ message }) => message !== undefined).length).toBeGreaterThan(0)
    expect(text.split('half')).toHaveLength(1 + 20)
  },
)
