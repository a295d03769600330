/**
 * Installs AWS's own runtime client beside the tests, once: it is no dependency of the project, since its native build
 * would burden every `npm ci`.
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const folder = fileURLToPath(new URL('runtime-client/', import.meta.url))

/** What Node runs in an environment: AWS's runtime client, and the module that stands in for its native part. */
export const runtimeClient = {
  entry: `${folder}node_modules/aws-lambda-ric/index.mjs`,
  preload: `${folder}native-client.cjs`,
}

/**
 * Vitest's global setup. Needs the registry the first time; scripts are left out, and with them the native build.
 * @throws where this is not the Node of the stack's functions, which run on what runs the tests
 */
export default async function installRuntimeClient(): Promise<void> {
  const { node } = process.versions
  if (!node.startsWith('24.')) throw new Error(`this is Node ${node}, expected 24: start it by npm`)
  if (existsSync(runtimeClient.entry)) return
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder })
}
