/**
 * Apps that tests write: each in a folder of its own outside the checkout, where `errand` is the checkout's source.
 * @module
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { root } from './source-files.ts'

/** The names that users import, as a tsconfig has them. */
const paths = {
  errand: [join(root, 'src/index.ts')],
  'errand/lambda': [join(root, 'src/handlers/index.ts')],
  'errand/monitor': [join(root, 'src/monitor/index.ts')],
  'errand/local-emulator': [join(root, 'src/local-emulator/index.ts')],
}

/** An executor of the given name, as the text of a module; `tasks` is the inside of an object. */
export function executorText(name: string, tasks = 'add: (a: number, b: number) => a + b'): string {
  return `createExecutor(defineConfig({ name: '${name}' }), { tasks: { ${tasks} } })`
}

/** What the texts of modules begin with. */
export const imports = "import { createExecutor, defineConfig } from 'errand'"

/**
 * Writes files by their paths, until the test is over; returns the folder's true path. Tests that run concurrently give
 * their own `onTestFinished`: the global one may be another's.
 */
export function writeApp(
  files: Readonly<Record<string, string>>,
  compilerOptions: object = {},
  whenFinished: (remove: () => void) => void = onTestFinished,
): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'errand-app-')))
  whenFinished(() => rmSync(folder, { recursive: true, force: true }))
  const own = (compilerOptions as { paths?: object }).paths
  const tsconfig = JSON.stringify({ compilerOptions: { ...compilerOptions, paths: { ...own, ...paths } } })
  const all = { 'package.json': '{ "type": "module" }', 'tsconfig.json': tsconfig, ...files }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** Links a folder of the app under a package's name, as a workspace does. */
export function linkPackage(folder: string, name: string, target: string): void {
  const link = join(folder, 'node_modules', name)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(join(folder, target), link)
}
