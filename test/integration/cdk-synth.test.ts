/**
 * `npx cdk synth` in a checkout, as after `npm ci`: it builds, bundles and writes the same bytes each time, and needs
 * no network.
 * @module
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stageCheckout } from '../support/packed-package.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'errand-synth-'))
const checkout = join(folder, 'checkout')

/** A namespace of its own, with no network but a loopback that is down. */
const offline = ['unshare', '--map-root-user', '--net', '--']
const canBeOffline = spawnSync(offline[0] ?? '', [...offline.slice(1), 'true']).status === 0

/** The CDK's own timings, which it writes where a synthesis was slow. */
const TIMINGS = 'performance-counters.json'

/** Every file that a synthesis writes, by its path. */
async function synthesise(name: string, before: readonly string[] = []): Promise<Record<string, string>> {
  const outdir = join(folder, name)
  const [command = '', ...args] = [
    ...before,
    'npx',
    '--offline',
    'cdk',
    'synth',
    '--quiet',
    '--output',
    outdir,
  ]
  const { PATH, HOME } = process.env
  // Nothing that says where AWS is, and the Node that runs this.
  const env = { PATH: `${dirname(process.execPath)}:${PATH}`, HOME, CI: '1' }
  await run(command, args, { cwd: checkout, env })
  return Object.fromEntries(
    readdirSync(outdir, { recursive: true, encoding: 'utf8' })
      .sort()
      .filter((path) => path !== TIMINGS && statSync(join(outdir, path)).isFile())
      .map((path) => [path, readFileSync(join(outdir, path), 'latin1')]),
  )
}

/** What differs between two syntheses. */
function differences(one: Record<string, string>, other: Record<string, string>): string[] {
  const paths = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...paths].filter((path) => one[path] !== other[path])
}

/** A synthesis takes 8 s where it has the machine to itself. */
const LIMIT_MS = 120_000

let once: Record<string, string>

beforeAll(async () => {
  stageCheckout(checkout)
  once = await synthesise('once')
}, LIMIT_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('writes a template and the bundles of the workers, the monitor and the web app', () => {
  expect(Object.keys(once)).toContain('Flights.template.json')
  expect(Object.keys(once).filter((path) => /^asset\.[0-9a-f]+\/index\.mjs$/.test(path))).toHaveLength(3)
})

test(
  'writes the same bytes again',
  async () => {
    expect(differences(once, await synthesise('again'))).toEqual([])
  },
  LIMIT_MS,
)

// Where namespaces are not allowed there is no way to be sure that nothing was asked for.
test.skipIf(!canBeOffline)(
  'needs no network',
  async () => {
    expect(differences(once, await synthesise('offline', offline))).toEqual([])
  },
  LIMIT_MS,
)
