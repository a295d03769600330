/**
 * What the command line refuses, and what it says: real processes.
 * @module
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { imports, writeApp } from '../support/app-folder.ts'
import { runCommand, startCommand } from '../support/command-line.ts'

const shop = `${imports}
const config = defineConfig({ name: 'shop', queues: ['low', 'high'], workers: ['foo', 'bar'] })
export const executor = createExecutor(config, { tasks: { add: (a: number, b: number) => a + b } })
`
const somewhere = {
  ERRAND_TABLE: 'shop-calls',
  ERRAND_QUEUE_URLS: '{"low":"http://127.0.0.1:9/0/low","high":"http://127.0.0.1:9/0/high"}',
  ERRAND_FUNCTIONS: '{}',
  AWS_REGION: 'eu-west-1',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
}
const credentials = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
const onAws = {
  ...somewhere,
  AWS_ENDPOINT_URL: '',
  ERRAND_QUEUE_URLS: '{"low":"https://sqs.eu-west-1.amazonaws.com/123456789012/shop-low"}',
}

const rows: readonly (readonly [words: string, code: number, says: RegExp, env?: NodeJS.ProcessEnv])[] = [
  ['', 2, /Usage: errand/],
  ['stauts', 2, /unknown command 'stauts'\n\(Did you mean status\?\)/],
  ['help stauts', 2, /^errand: unknown command 'stauts'\n\(Did you mean status\?\)\n$/],
  ['help nope', 2, /^errand: unknown command 'nope'\n$/],
  ['help status', 0, /^Usage: errand status/],
  ['help', 0, /^Usage: errand /],
  ['status --jsn', 2, /unknown option '--jsn'\n\(Did you mean --json\?\)/],
  ['inspect', 2, /errand: missing required argument 'what'/],
  ['monitor --port 70000', 2, /--port is "70000", expected a number from 0/],
  ['worker', 2, /worker "fo" is not declared; did you mean "foo"\?/, { ERRAND_WORKER: 'fo' }],
  ['inspect activ', 2, /called "activ"; did you mean "active"\?/],
  ['inspect stats --queue low', 2, /--queue narrows lists of calls, and stats is none/],
  ['inspect active --state failed', 2, /--state is of `errand inspect calls`/],
  ['inspect calls --since yesterday', 2, /--since is "yesterday", expected a date/, somewhere],
  ['inspect calls --queue lo', 2, /queue "lo" is not declared; did you mean "low"\?/, somewhere],
  ['inspect calls --state faild', 2, /`state` is "faild"; did you mean "failed"\?/, somewhere],
  ['inspect calls --size 0', 2, /--size is "0", expected a number from 1 to 100/, somewhere],
  ['status', 4, /ERRAND_TABLE is set, and ERRAND_QUEUE_URLS is not: set both/, { ERRAND_TABLE: 'calls' }],
  ['status', 4, /ERRAND_QUEUE_URLS is set, and ERRAND_TABLE is not/, { ...somewhere, ERRAND_TABLE: '' }],
  ['worker', 2, /which worker\? Name one of "foo", "bar"/],
  ['worker -n fo', 2, /worker "fo" is not declared; did you mean "foo"\?/],
  ['worker -n foo', 4, /no fleet of "shop" is known here: start one with `errand cluster`/],
  [
    'worker -n foo',
    2,
    /ERRAND_QUEUE_URLS leads beyond .* \(https:\/\/sqs\.eu-west-1\.amazonaws\.com\/…\)/,
    onAws,
  ],
  [
    'worker -n foo',
    2,
    /leads beyond this machine and its network \(http:\/\/sqs\.eusc-de-east-1\.amazonaws\.eu\/…\)/,
    { ...onAws, ERRAND_QUEUE_URLS: '{"low":"http://SQS.eusc-de-east-1.amazonaws.eu/123456789012/low"}' },
  ],
  [
    'worker -n foo',
    2,
    /AWS_ENDPOINT_URL_SQS leads beyond .* \(https:\/\/sqs\.us-iso-east-1\.c2s\.ic\.gov\/…\)/,
    { ...somewhere, AWS_ENDPOINT_URL_SQS: 'https://sqs.us-iso-east-1.c2s.ic.gov' },
  ],
  ['submit ad 1 2', 2, /task "ad" is not registered; did you mean "add"\?/, somewhere],
  [
    'submit add 1 {"a":}',
    2,
    /argument 2 of add is no JSON: unexpected "}" at position 5\n {2}\{"a":\}\n {7}\^/,
  ],
  ['submit add hello', 2, /a text is in double quotes, which a shell takes away: '"hello"'/],
  ['submit add 1 2 --queue hihg', 2, /queue "hihg" is not declared; did you mean "high"\?/, somewhere],
  ['submit add 1 2 --delay soon', 2, /--delay is "soon", expected seconds, or a span with its unit/],
  ['submit add 1 2 --at noon', 2, /--at is "noon", expected a moment/],
  ['submit add 1 2 --wait soon', 2, /--wait is "soon"/],
  ['retry', 2, /say the id of a call, or --failed/],
  ['retry x --failed', 2, /say the id of a call, or --failed/],
  ['retry x --task add', 2, /are of --failed/],
  ['purge lwo --yes', 2, /queue "lwo" is not declared; did you mean "low"\?/, somewhere],
  ['pause lwo', 2, /queue "lwo" is not declared/, somewhere],
  [
    'cluster --stack jobs',
    2,
    /--stack names a deployed fleet, and `errand cluster` starts one on this machine/,
  ],
  ['dev --stack jobs', 2, /--stack names a deployed fleet, and `errand dev` starts one/],
  ['cluster --sqs-port http', 2, /--sqs-port is "http", expected a number from 0 to 65535/],
  ['status --app nowhere.ts', 3, /there is no file .*nowhere\.ts; known: "errand.ts"/],
  ['result 0192', 4, /nobody answers there/, { ...somewhere, ...credentials }],
  ['result 0192', 4, /AWS takes no request without credentials/, onAws],
  [
    'submit add 1 2 --id 0192',
    4,
    /may not have been sent[\s\S]*\nhere: --id 0192\nnobody answers/,
    { ...somewhere, ...credentials },
  ],
]

const refusals = rows.map(([words, code, says, env = {}]) => ({ words, code, says, env }))

for (const { words, code, says, env } of refusals) {
  test.concurrent(`errand ${words} exits with ${code}`, async ({ expect, onTestFinished }) => {
    const cwd = writeApp({ 'errand.ts': shop }, {}, onTestFinished)
    const run = await runCommand(words.split(' ').filter(Boolean), { cwd, env })
    expect(run.stdout + run.stderr).toMatch(says)
    expect(run.code).toBe(code)
  })
}

test('an app that throws is told of by its place', async () => {
  const cwd = writeApp({ 'errand.ts': `${imports}\nthrow new Error('no \u001b[31mred\u001b[0m')\n` })
  const run = await runCommand(['cluster'], { cwd })
  expect(run.code).toBe(3)
  expect(run.stderr).toContain(`errand: the app ${cwd}/errand.ts: throws when it is imported`)
  expect(run.stderr).toContain('no red')
  expect(run.stderr).toContain('errand.ts:2')
  expect(run.stderr).not.toContain('\u001b')
})

test('whoever reads may go: that is no failure', async () => {
  const cwd = writeApp({ 'errand.ts': shop })
  const command = startCommand(['--help'], { cwd })
  command.child.stdout?.destroy()
  expect(await command.ended).toBe(0)
  expect(command.output()).toBe('')
})

test.each(['--version', '-V'])('errand %s prints the version alone', async (word) => {
  const run = await runCommand([word], { cwd: writeApp({ 'errand.ts': shop }) })
  expect(run).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test('of two clusters of an app that are started at once one runs, and the other is refused (F-50)', async () => {
  const cwd = writeApp({ 'errand.ts': shop })
  const both = [1, 2].map(() => startCommand(['cluster', '--no-monitor'], { cwd }))
  const refused = await Promise.race(both.map((each) => each.ended.then((code) => ({ each, code }))))
  expect(refused.code).toBe(2)
  expect(refused.each.output()).toMatch(
    /a cluster of "shop" (runs already, as|is being started, by) process \d+/,
  )
  const running = both.find((each) => each !== refused.each)
  await running?.prints('every worker of shop works')
  running?.child.kill('SIGTERM')
  expect(await running?.ended).toBe(0)
})

test('a port in use is named', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cwd = writeApp({ 'errand.ts': shop })
  for (const option of ['--sqs-port', '--dynamodb-port']) {
    const run = await runCommand(['cluster', option, String(port)], { cwd })
    expect(run.code).toBe(2)
    expect(run.stderr).toContain(`port ${port} of 127.0.0.1 is in use`)
  }
  const monitor = await runCommand(['monitor', '--port', String(port)], { cwd, env: somewhere })
  expect(monitor.stderr).toContain(
    `127.0.0.1:${port}: something else listens there; give another --port, or 0`,
  )
  expect(monitor.code).toBe(2)
  server.close()
})
