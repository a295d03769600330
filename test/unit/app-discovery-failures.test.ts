/**
 * Apps that cannot be found or read: what the error says. Each in a real process.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { AppDiscoveryError, type DiscoverOptions, discoverApp } from '../../src/app-discovery/index.ts'
import { executorText, imports, writeApp } from '../support/app-folder.ts'
import { root } from '../support/source-files.ts'

const shop = `${imports}\nexport const executor = ${executorText('shop')}\n`

afterEach(() => vi.unstubAllEnvs())

function failureOf(options: DiscoverOptions): string {
  try {
    discoverApp(options)
  } catch (error) {
    if (AppDiscoveryError.is(error)) return error.message
    throw error
  }
  throw new Error('it was discovered')
}

/** What the error says of an app of one module, which it must name. */
function failureOfText(text: string, options: DiscoverOptions = {}): string {
  const cwd = writeApp({ 'errand.ts': text })
  const message = failureOf({ cwd, ...options })
  expect(message).toContain(`the app ${join(cwd, 'errand.ts')}: `)
  return message
}

test('an app that imports itself for errand, by a `baseUrl`', () => {
  const tsconfig = JSON.stringify({ compilerOptions: { baseUrl: './src' } })
  const message = failureOf({ cwd: writeApp({ 'src/errand.ts': shop, 'tsconfig.json': tsconfig }) })
  expect(message).toContain('"errand" is this very module, by the `baseUrl` or `paths` of the tsconfig')
  expect(message).toContain('give the module another name, or take `baseUrl` out')
})

describe('a module that is not there', () => {
  test('anywhere: where was looked, and how to say', () => {
    const cwd = writeApp({ 'sub/x.txt': '' })
    const message = failureOf({ cwd: join(cwd, 'sub') })
    for (const part of [
      'src/errand, errand, src/tasks',
      join(cwd, 'sub'),
      '--app path:export',
      'ERRAND_APP',
      'package.json',
    ]) {
      expect(message).toContain(part)
    }
  })

  test.each([
    [{ app: 'errnad.ts' }, '`app` is "errnad.ts", but there is no file', 'did you mean "errand.ts"?'],
    [{ app: 'lib/errand.ts' }, '`app` is "lib/errand.ts", but there is no folder', 'correct the path'],
    [{ app: 'src' }, '`app` is "src"', 'is a folder; name the module in it'],
    [{ app: '' }, '`app` is ""', 'expected the path of a module, or path:export'],
    [{ app: 'errand.ts:shop' }, 'it has no export "shop"', 'known: "executor"'],
    [{ app: 'errand.ts', timeoutSeconds: 0 }, '`timeoutSeconds` is 0', 'expected a number over 0'],
  ])('%j', (options, what, fix) => {
    const cwd = writeApp({ 'errand.ts': shop, 'src/x.txt': '' })
    const message = failureOf({ cwd, ...options })
    expect(message).toContain(what)
    expect(message).toContain(fix)
  })

  test('but named by the variable or by package.json, which the error says', () => {
    const cwd = writeApp({ 'package.json': '{ "errand": { "app": 7 } }' })
    expect(failureOf({ cwd })).toContain(`\`errand.app\` of ${join(cwd, 'package.json')} is 7`)
    vi.stubEnv('ERRAND_APP', 'gone.ts')
    expect(failureOf({ cwd })).toContain('ERRAND_APP is "gone.ts"')
  })

  test('and a package.json that is none', () => {
    expect(failureOf({ cwd: writeApp({ 'package.json': '{' }) })).toContain('package.json cannot be read')
  })
})

describe('a module that does not load', () => {
  test.each([
    ['no module', 'export const = 1', 'cannot be built', 'errand.ts:1:13'],
    ['an import that is not there', "import './gone.ts'", 'Could not resolve "./gone.ts"', 'errand.ts:1:7'],
    [
      'a throw',
      "const url = undefined\nthrow new TypeError('no DATABASE_URL')",
      'TypeError: no DATABASE_URL',
      'errand.ts:2:7',
    ],
    [
      'a cause',
      "throw new Error('outer', { cause: new Error('inner') })",
      'Error: outer',
      'caused by Error: inner',
    ],
    ['no Error', "throw 'text'", 'text (not an Error)', 'throws when it is imported'],
    [
      'an await that rejects',
      "await Promise.reject(new Error('refused'))",
      'Error: refused',
      'throws when it is imported',
    ],
    ['an await that never settles', 'await new Promise(() => {})', 'awaits what never settles', ''],
    [
      'process.exit',
      "console.error('no DATABASE_URL')\nprocess.exit(3)",
      'ends the process, with exit code 3',
      '  no DATABASE_URL',
    ],
    [
      'a rejection nobody listens to',
      `${shop}Promise.reject(new Error('refused'))`,
      'leaves a promise to reject',
      'Error: refused',
    ],
    [
      'a throw from a callback',
      `${shop}queueMicrotask(() => { throw new Error('late') })`,
      'throws from a callback',
      'Error: late',
    ],
    [
      'a factory that throws',
      "export const createApp = () => { throw new Error('refused') }",
      'its createApp() throws',
      'Error: refused',
    ],
    [
      'no AWS',
      "import { connect } from 'node:net'\nawait new Promise((_, no) => connect(Number(new URL(process.env.AWS_ENDPOINT_URL).port), '127.0.0.1').on('error', no))",
      'ECONNREFUSED',
      'without AWS',
    ],
  ])('%s', (_, text, what, where) => {
    const message = failureOfText(text)
    expect(message).toContain(what)
    expect(message).toContain(where)
    const isBuilt = !message.includes('cannot be built')
    expect(message.includes('belongs in `executor.onWorkerStart')).toBe(isBuilt)
  })

  test('in time: it is ended', () => {
    const message = failureOfText('for (;;) {}', { timeoutSeconds: 4 })
    expect(message).toContain('took over 4 s')
    expect(message).toContain('executor.onWorkerStart')
  })

  test('since it is killed', () => {
    const message = failureOfText("process.kill(process.pid, 'SIGKILL')")
    expect(message).toContain('its process ended while it was imported, with signal SIGKILL')
  })

  test('since a circular import leaves the executor undefined', () => {
    const errand = `${imports}\nimport './tasks.ts'\nexport const executor = ${executorText('shop')}\n`
    const tasks = "import { executor } from './errand.ts'\nexecutor.task('add', (a: number) => a)\n"
    const message = failureOf({ cwd: writeApp({ 'errand.ts': errand, 'tasks.ts': tasks }) })
    expect(message).toContain('tasks.ts:2')
    expect(message).toContain('modules that import each other see what is not yet made')
  })
})

test('without esbuild the error says how to install it', () => {
  // A copy of errand that has what it depends on in reach, and no peers.
  const copy = writeApp({ 'package.json': '{ "type": "module" }', 'errand.ts': shop })
  cpSync(join(root, 'src'), join(copy, 'errand'), { recursive: true })
  mkdirSync(join(copy, 'node_modules'))
  for (const name of ['fastest-levenshtein', 'tinyqueue']) {
    symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name))
  }
  const program = join(copy, 'errand/app-discovery/index.ts')
  const code = `import(${JSON.stringify(program)}).then((m) => m.discoverApp()).catch((error) => console.log(error.message))`
  const message = execFileSync(process.execPath, ['-e', code], { cwd: copy, encoding: 'utf8' })
  expect(message).toContain(`${join(copy, 'errand.ts')}: cannot be read, for esbuild is not installed`)
  expect(message).toContain('npm i -D esbuild')
})

describe('a module without its executor', () => {
  test.each([
    ['no export', 'const a = 1', 'it exports nothing', 'export const executor = createExecutor'],
    ['no executor', 'export const add = () => {}', 'it exports "add"', 'or a function `createApp`'],
    [
      'a function by default, which may be a task',
      'export default () => { process.exit(9) }',
      'it exports "default"',
      'export',
    ],
    [
      'two',
      `export const a = ${executorText('a')}\nexport const b = ${executorText('b')}`,
      'it exports 2 executors, "a", "b"',
      '--app path:a',
    ],
    [
      'undefined',
      'export let executor',
      'its export `executor` is undefined',
      'modules that import each other',
    ],
    [
      'a factory of something else',
      'export const createApp = async () => 7',
      'its createApp() gives 7',
      'or a promise of one',
    ],
    [
      'a namesake',
      `export const executor = ${executorText('shop')}\nconst again = ${executorText('shop')}`,
      'is not the last that was made under this name',
      'two names',
    ],
    [
      'a closed one',
      `export const executor = ${executorText('shop')}\nawait executor.close()`,
      '"shop" that was closed',
      'do not close it',
    ],
    [
      'an invalid config',
      "export const executor = createExecutor({ name: 'my shop' })",
      'InvalidOptionError: ',
      '"my shop"',
    ],
    [
      'a route to no task',
      "export const executor = createExecutor({ name: 'shop', routes: { ad: 'default' } }, { tasks: { add() {} } })",
      'refused',
      'did you mean "add"?',
    ],
  ])('%s', (_, text, what, fix) => {
    const message = failureOfText(`${imports}\n${text}\n`)
    expect(message).toContain(what)
    expect(message).toContain(fix)
  })

  test('where another export was named', () => {
    const cwd = writeApp({ 'errand.ts': `${shop}export const add = 1` })
    expect(failureOf({ cwd, app: 'errand.ts:add' })).toContain('its export `add` is 1, expected an executor')
  })
})
