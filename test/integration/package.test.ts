/**
 * The package as users get it: packed, and installed in an empty folder outside the checkout, beside nothing but
 * its own dependencies. No network: the dependencies are links to the checkout's.
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix, sep } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linkPackage, packStaged, stageCheckout, unpackInto } from '../support/packed-package.ts'
import { readPackage, root } from '../support/source-files.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'errand-package-'))
const stage = join(folder, 'stage')
const app = join(folder, 'app')
const installed = join(app, 'node_modules/errand')
const tsc = join(root, 'node_modules/typescript/bin/tsc')

/** What a consumer has beside errand: for the type test Node's types, as every TypeScript app on Node. */
const besides = ['@types/node']

beforeAll(async () => {
  stageCheckout(stage)
  // What must stay at home.
  writeFileSync(join(stage, '.env'), 'SECRET=1\n')
  writeFileSync(join(stage, 'notes.txt'), 'private\n')
  await unpackInto(app, await packStaged(stage, folder))
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  for (const dependency of [...Object.keys(readPackage().dependencies), ...besides])
    linkPackage(app, dependency)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function packedFiles(): string[] {
  return readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(installed.length + 1)
        .replaceAll(sep, '/'),
    )
    .sort()
}

/** Runs a script of the app; what it prints last is the answer. */
async function runScript(name: string, lines: readonly string[]): Promise<unknown> {
  const path = join(app, name)
  writeFileSync(path, lines.join('\n'))
  const env = { PATH: process.env.PATH, NODE_ENV: 'development' }
  const { stdout, stderr } = await run(process.execPath, [path], { cwd: app, env })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

describe('what is packed', () => {
  const allowed = [
    /^package\.json$/,
    /^(README|CHANGELOG)\.md$/,
    /^LICENSE$/,
    /^(src|cdk)\/.+\.ts$/,
    /^src\/monitor\/assets\/[\w.]+\.(js|css|svg)$/,
    /^dist\/(src|cdk)\/.+\.(js|d\.ts)(\.map)?$/,
  ]

  test('is the build, its sources and the papers, and nothing else', () => {
    const files = packedFiles()
    expect(files.filter((path) => !allowed.some((form) => form.test(path)))).toEqual([])
    expect(files.filter((path) => /\.test\.|(^|\/)\.env/.test(path))).toEqual([])
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']))
  })

  test('every built file has its source, and every map leads to it', () => {
    const files = new Set(packedFiles())
    for (const path of files) {
      if (!path.startsWith('dist/')) continue
      const source = path.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
      expect(files, path).toContain(source)
      if (!path.endsWith('.map')) continue
      const { sources, sourceRoot } = JSON.parse(readFileSync(join(installed, path), 'utf8'))
      expect(sourceRoot ?? '', path).toBe('')
      expect(sources.map((each: string) => posix.join(posix.dirname(path), each))).toEqual([source])
    }
  })

  test('holds no path of the machine that packed it', () => {
    const machine = [root.slice(0, -1), folder]
    const telling = packedFiles().filter((path) => {
      const text = readFileSync(join(installed, path), 'utf8')
      return machine.some((place) => text.includes(place))
    })
    expect(telling).toEqual([])
  })
})

describe('installed', () => {
  test('errand submits, maps and waits on the local backend, and the process ends by itself', async () => {
    const answer = await runScript('local.mjs', [
      "import { createExecutor, defineConfig } from 'errand'",
      'const add = (a, b) => a + b',
      "const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: { add } })",
      'const future = await executor.submit(add, 1, 2)',
      'const sums = await executor.map(add, [[3, 4], [5, 6]])',
      'console.log(JSON.stringify([await future.result(), ...(await sums.results())]))',
    ])
    expect(answer).toEqual([3, 7, 11])
  })

  test('errand/lambda runs the message that the queue of errand/local-emulator delivers', async () => {
    const answer = await runScript('lambda.mjs', [
      "import { createExecutor, defineConfig } from 'errand'",
      "import { workerHandler } from 'errand/lambda'",
      "import { arnOf, localBackend } from 'errand/local-emulator'",
      "const config = defineConfig({ name: 'shop' })",
      'const add = (a, b) => a + b',
      'const backend = localBackend(createExecutor(config).config, { startWorkers: false })',
      'const executor = createExecutor(config, { tasks: { add }, backend })',
      'const future = await executor.submit(add, 1, 2)',
      "const [message] = await backend.queue.receive('default', { maxMessages: 1, waitSeconds: 0 })",
      "const record = { ...message, attributes: {}, eventSourceARN: arnOf('default') }",
      'const answer = await workerHandler(executor)({ Records: [record] })',
      "await backend.queue.delete('default', [message.receiptHandle])",
      'console.log(JSON.stringify([answer, await future.result()]))',
    ])
    expect(answer).toEqual([{ batchItemFailures: [] }, 3])
  })

  test('errand/local-emulator takes virtual time', async () => {
    const answer = await runScript('virtual.mjs', [
      "import { createExecutor, defineConfig } from 'errand'",
      "import { virtualClock } from 'errand/local-emulator'",
      'const clock = virtualClock()',
      "const executor = createExecutor(defineConfig({ name: 'shop' }), { local: { clock } })",
      "const add = executor.task('add', (a, b) => a + b)",
      'const future = await add.with({ delaySeconds: 900 }).submit(1, 2)',
      'const before = clock.now()',
      'const sum = await clock.runUntil(future.result())',
      'console.log(JSON.stringify([sum, Math.round((clock.now() - before) / 1000)]))',
    ])
    expect(answer).toEqual([3, 900])
  })

  test('errand/testing works under node:test, its timers mocked', async () => {
    const path = join(app, 'shop.test.mjs')
    const lines = [
      "import assert from 'node:assert'",
      "import { mock, test } from 'node:test'",
      "import { createExecutor, currentTask, defineConfig } from 'errand'",
      "import { testExecutor } from 'errand/testing'",
      'const attempts = []',
      'const flaky = () => {',
      '  attempts.push(currentTask.attempt)',
      "  if (currentTask.attempt < 3) throw new Error('busy')",
      "  return 'done'",
      '}',
      "const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: { flaky } })",
      "test('flaky is retried', async () => {",
      "  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })",
      '  const t = testExecutor(executor)',
      '  const future = await executor.submit(flaky)',
      '  assert.deepEqual(attempts, [])',
      '  t.killNext(flaky)',
      '  await t.drain()',
      "  assert.equal(await future.result(), 'done')",
      '  assert.deepEqual(attempts, [1, 2, 3])',
      '  await t.close()',
      '})',
    ]
    writeFileSync(path, lines.join('\n'))
    const env = { PATH: process.env.PATH }
    const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', path], { cwd: app, env })
    expect(stdout).toContain('# pass 1')
    expect(stdout).toContain('# fail 0')
  })

  test('errand/hono answers for a call and errand/browser follows it', async () => {
    linkPackage(app, 'hono')
    const answer = await runScript('web.mjs', [
      "import { createExecutor, defineConfig } from 'errand'",
      "import { resultOf } from 'errand/browser'",
      "import { taskRoutes } from 'errand/hono'",
      "const executor = createExecutor(defineConfig({ name: 'shop' }), {})",
      'const routes = taskRoutes(executor, { authorize: ({ tenant }) => tenant === "acme" })',
      'globalThis.fetch = async (url, options) => routes.request(url, options)',
      "const add = executor.task('sum', (a, b) => a + b)",
      'const [own, other] = [await executor.with({ tenant: "acme" }).submit(add, 1, 2), await executor.submit(add, 3, 4)]',
      "const { value } = await resultOf('/calls/' + own.id)",
      "const refused = await resultOf('/calls/' + other.id).catch((error) => error.status)",
      'console.log(JSON.stringify([value, refused]))',
    ])
    expect(answer).toEqual([3, 404])
  })

  test('what is not exported cannot be reached', async () => {
    const answer = await runScript('inside.mjs', [
      "const reached = await import('errand/dist/src/runtime/record.js').catch((error) => error.code)",
      'console.log(JSON.stringify(reached))',
    ])
    expect(answer).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})

/** An app for what finds one, and esbuild, which builds it. */
function writeShop(): void {
  if (existsSync(join(app, 'src'))) return
  linkPackage(app, 'esbuild')
  mkdirSync(join(app, 'src'))
  writeFileSync(
    join(app, 'src/errand.ts'),
    [
      "import { createExecutor, defineConfig } from 'errand'",
      'const add = (a: number, b: number) => a + b',
      'const greet = (name: string) => name',
      "export const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: { add, greet } })",
    ].join('\n'),
  )
}

describe('errand/cdk', () => {
  const lines = (imports: readonly string[]) => [
    ...imports,
    'const app = new App()',
    "const stack = new Stack(app, 'Shop')",
    "new ErrandFleet(stack, 'Jobs', { app: 'src/errand.ts' })",
    'app.synth()',
  ]

  beforeAll(() => {
    for (const peer of ['aws-cdk-lib', 'constructs']) linkPackage(app, peer)
    writeShop()
  })

  test.each([
    [
      'ESM',
      'infra.mjs',
      ["import { App, Stack } from 'aws-cdk-lib'", "import { ErrandFleet } from 'errand/cdk'"],
    ],
    [
      'CommonJS',
      'infra.cjs',
      ["const { App, Stack } = require('aws-cdk-lib')", "const { ErrandFleet } = require('errand/cdk')"],
    ],
  ])('synthesises a stack from %s, and its bundle loads', async (_, script, imports) => {
    const outdir = join(folder, `${script}.out`)
    writeFileSync(join(app, script), lines(imports).join('\n'))
    const env = { PATH: process.env.PATH, CDK_OUTDIR: outdir }
    await run(process.execPath, [join(app, script)], { cwd: app, env })
    const template = JSON.parse(readFileSync(join(outdir, 'Shop.template.json'), 'utf8'))
    const resources: { Type: string }[] = Object.values(template.Resources)
    expect(resources.filter(({ Type }) => Type === 'AWS::Lambda::Function')).toHaveLength(2)
    const asset = readdirSync(outdir).find((name) => name.startsWith('asset.')) as string
    const answer = await runScript(`load-${script}.mjs`, [
      `const loaded = await import(${JSON.stringify(join(outdir, asset, 'index.mjs'))})`,
      'console.log(JSON.stringify(Object.keys(loaded).sort()))',
    ])
    expect(answer).toEqual(['deadLetters', 'handler'])
  })
})

describe('errand, the command line, beside esbuild and none of the other peers', () => {
  // What stands above has linked it, and what stands below needs it.
  const linked = join(app, 'node_modules/hono')
  beforeAll(() => {
    writeShop()
    rmSync(linked, { recursive: true, force: true })
  })
  afterAll(() => linkPackage(app, 'hono'))

  test.each([
    [
      ['status', '--stack', 'jobs'],
      '`--stack` asks CloudFormation',
      'npm i -D @aws-sdk/client-cloudformation',
    ],
    [['monitor'], 'hono serves the monitor', 'npm i -D hono @hono/node-server'],
    [['cluster'], 'SQS and DynamoDB on this machine are fauxqs and dynalite', 'npm i -D fauxqs dynalite'],
  ])('errand %j says what to install', async (words, what, fix) => {
    const main = join(installed, readPackage(join(installed, 'package.json')).bin?.errand ?? '')
    const env = { PATH: process.env.PATH, AWS_REGION: 'eu-west-1' }
    const failed = await run(process.execPath, [main, ...words], { cwd: app, env }).catch(
      (error: { code: number; stderr: string }) => error,
    )
    expect(failed).toMatchObject({ code: 4, stderr: expect.stringContaining(what) })
    expect(failed.stderr).toContain(fix)
  })
})

const consumer = `
import { createClient, createExecutor, defineConfig, type Future, currentTask, ErrandError } from 'errand'
import { type WorkerHandler, workerHandler } from 'errand/lambda'
import { type CallResult, resultOf } from 'errand/browser'
import { taskRoutes } from 'errand/hono'
import { type VirtualClock, virtualClock } from 'errand/local-emulator'
import { type TestExecutor, testExecutor } from 'errand/testing'

const config = defineConfig({ name: 'shop', queues: ['low', 'high'], workers: 2 })
const add = async (a: number, b: number) => a + b
const clock: VirtualClock = virtualClock()
export const executor = createExecutor(config, { tasks: { math: { add } }, local: { clock } })
export const handler: WorkerHandler = workerHandler(executor)
export const answer = handler({ Records: [] })
const future: Future<number> = await executor.with({ queue: 'high' }).submit(add, 1, 2)
const client = createClient<typeof executor>(config)
const sum: number = await (await client.submit('math.add', 1, 2)).result()
console.log(await future.result(), sum, currentTask.active, ErrandError.is(sum))
const t: TestExecutor = testExecutor(createExecutor(config, { tasks: { add } }), { faults: { kill: { inTask: 0.1 } } })
const sent: [number, number] | undefined = t.submitted(add)[0]?.args
const ran: number = await t.runTask(add, [1, 2], { attempt: 2 })
console.log(sent, ran, t.submitted('add')[0]?.args[0])
export const routes = taskRoutes(client, { authorize: ({ tenant }) => tenant === 'acme' })
const followed: CallResult<number> = await resultOf<CallResult<number>>('/tasks/calls/1')
console.log(followed.state)
// @ts-expect-error whose calls these are must be said
taskRoutes(client, {})
// @ts-expect-error the argument is no number
await t.runTask(add, [1, 'two'])
// @ts-expect-error there is no such point
t.killNext(add, { at: 'never' })
// @ts-expect-error there is no such switch
createExecutor(config, { local: { faults: { duplicates: 1 } } })
// @ts-expect-error the argument is no number
await executor.submit(add, 1, 'two')
// @ts-expect-error the queue is not declared
executor.with({ queue: 'hihg' })
// @ts-expect-error the task is not registered
await client.submit('math.ad', 1, 2)
// @ts-expect-error a record is needed: types of events must be known, not \`any\`
await handler({ Records: [{ body: 1 }] })
`

const infra = `
import { App, Stack } from 'aws-cdk-lib'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { ErrandFleet, type ErrandFleetProps, type FleetWorker } from 'errand/cdk'

const stack = new Stack(new App(), 'Shop')
const props: ErrandFleetProps = { app: 'src/errand.ts', vpc: new Vpc(stack, 'Vpc'), bucket: new Bucket(stack, 'Own') }
const fleet = new ErrandFleet(stack, 'Jobs', props)
const worker: FleetWorker = fleet.worker('worker-1')
new Bucket(stack, 'Photos').grantRead(worker)
worker.connections.allowToAnyIpv4
const code = Code.fromInline('')
fleet.addClient(new Function(stack, 'Web', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code }), { read: true })
// @ts-expect-error there is no such access
fleet.addClient(worker.function, { write: true })
// @ts-expect-error what the config decides is no prop
new ErrandFleet(stack, 'Other', { app: 'src/errand.ts', workers: { 'worker-1': { timeoutSeconds: 60 } } })
`

describe('its types', () => {
  test.each([
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ])('are whole under strict $moduleResolution', async (resolution) => {
    // The CDK's own declarations do not pass the check that errand's do.
    const stdout = [
      await typeErrors(resolution, 'consumer.ts', consumer, { skipLibCheck: false }),
      await typeErrors(resolution, 'infra.ts', infra, { skipLibCheck: true }),
    ]
    expect(stdout).toEqual(['', ''])
  })
})

/** What the compiler says of a file of the app, with nothing but errand's dependencies and the peers at hand. */
async function typeErrors(resolution: object, file: string, text: string, options: object): Promise<string> {
  writeFileSync(join(app, file), text)
  const compilerOptions = {
    ...resolution,
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
    ...options,
  }
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const { stdout } = await run(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], { cwd: app }).catch(
    (error: { stdout: string }) => error,
  )
  return stdout
}
