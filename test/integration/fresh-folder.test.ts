/**
 * What the docs have a new user do, done: from an empty folder to a synthesised fleet, from ESM and CommonJS, and
 * what they see where the app cannot be loaded; a worker in a container. The package is the packed one; no network.
 * @module
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Config, createClient, type Future } from 'errand'
import { transform } from 'esbuild'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startLocalAws } from '../../src/cli/local-aws/local-aws.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { type Step, scriptOf, stepsBelow } from '../docs/deploy-steps.ts'
import { snippetsOf } from '../docs/snippets.ts'
import { buildImage, type Image } from '../support/dockerfile.ts'
import { packStaged, stageCheckout } from '../support/packed-package.ts'
import { root } from '../support/source-files.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'errand-fresh-'))
const commands = join(folder, 'bin')
const LIMIT_MS = 120_000

/** What a user has: a home without settings, Node, and npm, whose `install` asks no registry here. */
const env = {
  PATH: [commands, dirname(process.execPath), process.env.PATH].join(delimiter),
  HOME: folder,
  CI: '1',
  npm_config_offline: 'true',
}

const npm = `#!/bin/sh
if [ "$1" = install ] || [ "$1" = ci ]; then exec node '${join(root, 'test/support/offline-install.ts')}' "$@"; fi
PATH="\${PATH#*:}" exec npm "$@"
`

beforeAll(async () => {
  mkdirSync(commands)
  writeFileSync(join(commands, 'npm'), npm)
  chmodSync(join(commands, 'npm'), 0o755)
  const stage = join(folder, 'checkout')
  stageCheckout(stage)
  await packStaged(stage, folder)
}, LIMIT_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const steps = stepsBelow('## From nothing to a fleet')
const inCommonJs = stepsBelow('### In CommonJS')

/** The steps as CommonJS has them: no module type, and its own files in place of the others. */
function commonJsSteps(): Step[] {
  const kept = steps.flatMap((step): Step[] => {
    if (!('commands' in step)) return /^(infra\.ts|cdk\.json)$/.test(step.path) ? [] : [step]
    return [{ commands: step.commands.filter((line) => line !== 'npm pkg set type=module') }]
  })
  return [...kept.slice(0, -1), ...inCommonJs, ...kept.slice(-1)]
}

/** Runs the steps in a folder beside the tarball, and returns the app's. */
async function follow(name: string, followed: readonly Step[]): Promise<string> {
  const place = join(folder, name)
  mkdirSync(place)
  const script = scriptOf(followed).replaceAll('../errand-', '../../errand-')
  await run('sh', ['-c', script], { cwd: place, env })
  const [app = ''] = readdirSync(place)
  return join(place, app)
}

describe('the steps', () => {
  test('are there: commands, the app, the CDK app of eight lines', () => {
    const paths = steps.flatMap((step) => ('path' in step ? [step.path] : []))
    expect(paths).toEqual(['src/errand.config.ts', 'src/errand.ts', 'infra.ts', 'cdk.json'])
    for (const step of [...steps, ...inCommonJs]) {
      if (!('path' in step) || !step.path.startsWith('infra.')) continue
      const lines = step.text.split('\n').filter((line) => line !== '')
      expect(lines.length, step.path).toBeLessThanOrEqual(8)
    }
    expect(steps.at(-1)).toEqual({ commands: ['npx cdk synth --quiet'] })
  })

  test.each([
    ['ESM', 'module', steps],
    ['CommonJS', 'commonjs', commonJsSteps()],
  ])(
    'lead to a fleet from %s',
    async (name, type, followed) => {
      const app = await follow(name, followed)
      expect(JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).type).toBe(type)
      const template = JSON.parse(readFileSync(join(app, 'cdk.out/Shop.template.json'), 'utf8'))
      const resources: { Type: string }[] = Object.values(template.Resources)
      const count = (wanted: string) => resources.filter(({ Type }) => Type === wanted).length
      expect(count('AWS::Lambda::Function')).toBe(2)
      expect(count('AWS::SQS::Queue')).toBe(4)
      const outputs: { Description: string }[] = Object.values(template.Outputs)
      expect(outputs.map(({ Description }) => Description)).toEqual([
        expect.stringMatching(/^errand fleet shop/),
      ])
    },
    LIMIT_MS,
  )
})

describe('an app that cannot be loaded', () => {
  const app = () => join(folder, 'ESM/shop')
  const errand = () => join(app(), 'src/errand.ts')
  const executors = (...names: string[]) =>
    [
      "import { createExecutor, defineConfig } from 'errand'",
      ...names.map((name) => `export const ${name} = createExecutor(defineConfig({ name: '${name}' }))`),
    ].join('\n')

  /** What a command that fails prints, without what npm says of its own settings. */
  async function failureOf(command: string, ...args: string[]): Promise<string[]> {
    const failed = await run(command, args, { cwd: app(), env }).then(
      () => undefined,
      (error: { stderr: string }) => error.stderr,
    )
    expect(failed, `${command} succeeded`).toBeDefined()
    return (failed ?? '').split('\n').filter((line) => !line.startsWith('npm '))
  }

  /** The message comes first, after the place that Node shows, and the stack is short. */
  function expectReadable(lines: readonly string[], ...parts: string[]): void {
    const begin = lines.findIndex((line) => line.startsWith('AppDiscoveryError: '))
    expect(begin, lines.join('\n')).toBeGreaterThanOrEqual(0)
    expect(begin).toBeLessThanOrEqual(5)
    expect(lines.length).toBeLessThanOrEqual(40)
    for (const part of parts) expect(lines.slice(begin, begin + 6).join('\n')).toContain(part)
  }

  beforeAll(() => expect(existsSync(app())).toBe(true))

  test(
    'since it throws says so through `cdk synth`, and what to do',
    async () => {
      writeFileSync(errand(), "throw new Error('no database here')\n")
      const lines = await failureOf('npx', 'cdk', 'synth', '--quiet')
      expectReadable(
        lines,
        'src/errand.ts: throws when it is imported',
        'Error: no database here',
        'onWorkerStart',
      )
    },
    LIMIT_MS,
  )

  test.each([
    [
      'since it exports no executor',
      'export const answer = 42\n',
      ['it exports "answer"', 'export what createExecutor returns'],
    ],
    ['since it exports two', executors('one', 'two'), ['it exports 2 executors, "one", "two"', 'path:one']],
    [
      'since it is not there',
      undefined,
      ['`app` is "src/errand.ts", but there is no file', 'errand.config.ts'],
    ],
  ])(
    '%s',
    async (_, text, parts) => {
      if (text === undefined) rmSync(errand())
      else writeFileSync(errand(), text)
      // What `cdk synth` runs, whose output it passes on.
      expectReadable(await failureOf('node', 'infra.ts'), ...parts)
    },
    LIMIT_MS,
  )
})

describe('a container', () => {
  /** The Dockerfile of a page, built of an app's files; `node_modules` of the machine are beside them. */
  async function build(name: string, page: string, heading: string, files: Readonly<Record<string, string>>) {
    const written = stepsBelow(heading, page).flatMap((step) => ('path' in step ? [step] : []))
    const textOf = (path: string) => written.find((step) => step.path === path)?.text
    const [context, root] = [join(folder, name, 'context'), join(folder, name, 'image')]
    const tarball = join(folder, readdirSync(folder).find((each) => each.endsWith('.tgz')) ?? '')
    const manifest = {
      type: 'module',
      dependencies: { errand: `file:${tarball}` },
      devDependencies: { esbuild: '*' },
    }
    const all = {
      ...files,
      'package.json': JSON.stringify(manifest),
      'package-lock.json': '{}',
      'node_modules/errand/package.json': 'of another system',
    }
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(context, path)), { recursive: true })
      writeFileSync(join(context, path), text)
    }
    const dockerignore = textOf('.dockerignore') ?? ''
    const image = await buildImage(textOf('Dockerfile') ?? '', { context, root, dockerignore, env })
    expect(image).toMatchObject({ from: 'node:24-slim', user: 'node', workdir: join(root, 'app') })
    return image
  }

  /** Starts an image's command, on queues and a table of its own; a client of them. */
  async function start(image: Image, config: Config) {
    const { variables, close } = await startLocalAws(resolveConfig(config))
    onTestFinished(close)
    const { ERRAND_TABLE: tableName = '', ERRAND_QUEUE_URLS: urls = '{}', ...reached } = variables()
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const { AWS_ENDPOINT_URL_SQS: sqs = '', AWS_ENDPOINT_URL_DYNAMODB: dynamodb = '' } = reached
    const client = createClient(config, {
      backend: 'aws',
      aws: {
        tableName,
        queueUrls: JSON.parse(urls),
        region: 'us-east-1',
        sqs: { endpoint: sqs, credentials },
        dynamodb: { endpoint: dynamodb, credentials },
      },
    })
    onTestFinished(() => client.close())
    const [command = '', ...words] = image.command
    const child = spawn(command, words, { cwd: image.workdir, env: { ...image.env, ...variables() } })
    onTestFinished(() => void child.kill('SIGKILL'))
    const submit = client.submit as unknown as (name: string, ...args: unknown[]) => Promise<Future<unknown>>
    return { submit, child, ended: once(child, 'exit') }
  }

  test(
    'of `errand worker` takes calls, writes nothing beside its app, and drains at SIGTERM',
    async () => {
      const [app] = snippetsOf('docs/cli.md')
      const image = await build('of-errand', 'docs/cli.md', '### In a container', {
        'errand.ts': app?.code ?? '',
      })
      const files = () => readdirSync(image.workdir).sort()
      expect(files()).toEqual(['errand.ts', 'node_modules', 'package-lock.json', 'package.json'])
      const before = readdirSync(join(image.workdir, 'node_modules')).sort()
      const config = { name: 'shop', queues: ['high', 'low'], workers: ['foo', 'bar'] } as const
      const { submit, child, ended } = await start(image, config)
      const future = await submit('nap', 1500)
      for await (const { state } of future.updates({ timeoutSeconds: 60 })) if (state === 'running') break
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
      expect([files(), readdirSync(join(image.workdir, 'node_modules')).sort()]).toEqual([
        ['errand.ts', 'node_modules', 'package-lock.json', 'package.json'],
        before,
      ])
    },
    LIMIT_MS,
  )

  test(
    'of a program takes calls, without esbuild, and ends at SIGTERM',
    async () => {
      const program = snippetsOf('docs/backends.md').find(({ code }) => code.includes('runWorker('))
      const { code } = await transform(program?.code ?? '', { loader: 'ts', target: 'node22' })
      const files = { 'dist/worker.js': code, 'src/worker.ts': 'not copied' }
      const image = await build('of-a-program', 'docs/backends.md', '### In a container', files)
      expect(existsSync(join(image.workdir, 'node_modules/esbuild'))).toBe(false)
      expect(existsSync(join(image.workdir, 'src'))).toBe(false)
      const { submit, child, ended } = await start(image, {
        name: 'shop',
        queues: ['default', 'films'],
        routes: { render: 'films' },
      })
      expect(await (await submit('render', 'alien')).result({ timeoutSeconds: 60 })).toBe('alien.mp4')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    },
    LIMIT_MS,
  )
})
