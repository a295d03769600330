/**
 * The checkout as others get it: copied, so that what is built of it neither needs nor touches what others build in
 * it, and packed as npm packs it. No network: what it depends on are links to the checkout's own.
 * @module
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { promisify } from 'node:util'
import { root } from './source-files.ts'

const run = promisify(execFile)

/** Copies the checkout, without what was built or installed in it; its packages are a link. */
export function stageCheckout(stage: string): void {
  const skipped = ['node_modules', '.git', 'dist', 'coverage', 'cdk.out']
  cpSync(root, stage, {
    recursive: true,
    filter: (path) =>
      !path
        .slice(root.length)
        .split(sep)
        .some((part) => skipped.includes(part)),
  })
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'))
}

/** Builds and packs a staged checkout, and returns the tarball's path, in `folder`. */
export async function packStaged(stage: string, folder: string): Promise<string> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: stage })
  await run('npm', ['pack', '--offline', '--ignore-scripts', '--pack-destination', folder], { cwd: stage })
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) as string)
}

/** Installs a tarball as `node_modules/errand` of an app, without its dependencies. */
export async function unpackInto(app: string, tarball: string): Promise<void> {
  const installed = join(app, 'node_modules/errand')
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
}

/** Links a package of the checkout into an app's `node_modules`. */
export function linkPackage(app: string, name: string): void {
  const at = join(app, 'node_modules', name)
  mkdirSync(dirname(at), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), at)
}
