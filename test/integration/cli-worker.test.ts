/**
 * `errand worker` in a process of its own: what becomes of a queue that vanishes while it is polled, and of the second
 * Ctrl-C.
 * @module
 */
import { DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { defineConfig } from 'errand'
import { onTestFinished, test } from 'vitest'
import { startLocalAws } from '../../src/cli/local-aws/local-aws.ts'
import { ENV } from '../../src/runtime/config/config.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { imports, writeApp } from '../support/app-folder.ts'
import { isThere, runCommand, startCommand } from '../support/command-line.ts'
import { connectionTo } from '../support/loopback-connection.ts'

const config = defineConfig({ name: 'shop', queues: ['kept', 'gone'], workers: ['foo'] })
const app = `${imports}
import { setTimeout as sleep } from 'node:timers/promises'
const config = defineConfig({ name: 'shop', queues: ['kept', 'gone'], workers: ['foo'] })
const nap = async (ms: number) => { await sleep(ms); return process.pid }
export const executor = createExecutor(config, { tasks: { nap } })
`

/** A line of its log, which is JSON. */
const failing = String.raw`polling queue \"gone\" fails; tried again until it works`

test('a queue that vanishes is told once and the others are served; Ctrl-C twice ends it at once', async ({
  expect,
}) => {
  const aws = await startLocalAws(resolveConfig(config))
  onTestFinished(aws.close)
  const env = aws.variables()
  const cwd = writeApp({ 'errand.ts': app })
  const worker = startCommand(['worker'], { cwd, env })
  onTestFinished(() => void worker.child.kill('SIGKILL'))
  await worker.prints('worker foo takes calls of "kept", "gone"')

  const endpoint = env.AWS_ENDPOINT_URL_SQS ?? ''
  const sqs = new SQSClient({ ...connectionTo({ endpoint }), region: 'us-east-1' })
  const { gone } = JSON.parse(env[ENV.queueUrls] ?? '{}')
  await sqs.send(new DeleteQueueCommand({ QueueUrl: gone }))
  sqs.destroy()
  await worker.prints(failing)
  const { stdout } = await runCommand(['submit', 'nap', '1', '--wait', '30'], { cwd, env })
  expect(Number(stdout)).toBe(worker.child.pid)

  const { code, stderr } = await runCommand(['submit', 'nap', '1', '--queue', 'gone'], { cwd, env })
  expect(stderr).toContain('queue "gone"')
  expect(stderr).toContain(
    'is not there (sqs:SendMessage): it was deleted, or is in another region or account',
  )
  expect(code).toBe(1)

  const { stdout: id } = await runCommand(['submit', 'nap', '60000'], { cwd, env })
  const isRunning = runCommand(['result', id.trim(), '--wait', '2'], { cwd, env })
  expect((await isRunning).stderr).toContain('is running')
  worker.child.kill('SIGINT')
  await worker.prints('draining, 1 running; Ctrl-C again ends it at once')
  worker.child.kill('SIGINT')
  expect(await worker.ended).toBe(130)
  expect(isThere(worker.child.pid ?? 0)).toBe(false)
  expect(worker.output().split(failing)).toHaveLength(2)
})
