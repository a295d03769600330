/**
 * `npm run fuzz`: hostile and random input for the codec and for the worker's handler, by the million.
 * @module
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  type CampaignName,
  type CampaignOptions,
  type Counts,
  campaignNames,
  runCampaign,
} from './campaigns.ts'

const usage = `Usage: npm run fuzz -- [options]

  --values N        values through the codec: each comes back, or is refused with a path        (50000)
  --texts N         texts that the codec did not write: each decodes in bounds, or is malformed (50000)
  --messages N      messages through the worker's handler, in batches with sound ones           (50000)
  --dead-letters N  the same through the handler of dead letters                                (50000)
  --seed N          the first seed; the same seed makes the same input                          (1)
  --threads N       how many threads share the work                                             (2)

0 leaves a campaign out. Exits with 1 at the first failure, and prints its seed and its smallest input.`

/** The largest seed that fast-check takes, less what the chunks add. */
const maxSeed = 2 ** 31 - 1_000_000

class UsageError extends Error {}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError(`--${name} is ${JSON.stringify(text)}, expected a whole number from ${min} to ${max}`)
}

function readOptions(args: readonly string[]) {
  const option = (value: string) => ({ type: 'string' as const, default: value })
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ values: option('50000'), texts: option('50000'), messages: option('50000') },
      'dead-letters': option('50000'),
      ...{ seed: option('1'), threads: option('2'), help: { type: 'boolean' as const, short: 'h' } },
    },
  })
  const sizes = campaignNames.map((name) => [name, wholeNumber(name, values[name], 0, 1e9)] as const)
  const seed = wholeNumber('seed', values.seed, 0, maxSeed)
  const threads = wholeNumber('threads', values.threads, 1, 4 * availableParallelism())
  return { help: values.help === true, sizes, seed, threads }
}

interface Part extends CampaignOptions {
  readonly name: CampaignName
}

function runInThread(part: Part): Promise<Counts> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: part })
    thread.once('message', (message: { counts: Counts } | { failure: string }) => {
      if ('counts' in message) resolve(message.counts)
      else reject(new Error(message.failure))
    })
    thread.once('error', reject)
    thread.once('exit', (code) => reject(new Error(`a thread of ${part.name} ended with ${code}`)))
  })
}

async function runShared(name: CampaignName, size: number, seed: number, threads: number): Promise<Counts> {
  const count = Math.min(threads, size)
  const parts = Array.from({ length: count }, (_, index) =>
    runInThread({ name, atLeast: Math.ceil(size / count), seed: seed + index, stride: count }),
  )
  const all: Counts = { made: 0 }
  for (const counts of await Promise.all(parts)) {
    for (const [key, value] of Object.entries(counts)) all[key] = (all[key] ?? 0) + value
  }
  return all
}

async function main(): Promise<void> {
  const { help, sizes, seed, threads } = readOptions(process.argv.slice(2))
  if (help) return console.log(usage)
  for (const [name, size] of sizes) {
    if (size === 0) continue
    const started = performance.now()
    const { made, ...others } = await runShared(name, size, seed, threads)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const parts = Object.entries(others).map(([key, value]) => `${value} ${key}`)
    console.log(`${name}: ${made} in ${seconds} s, 0 failures (${parts.join(', ')})`)
  }
}

/** Tells the main thread what came of its part. */
async function runPart({ name, ...options }: Part): Promise<void> {
  try {
    parentPort?.postMessage({ counts: await runCampaign(name, options) })
  } catch (error) {
    parentPort?.postMessage({ failure: error instanceof Error ? error.message : String(error) })
  }
}

if (isMainThread) {
  main().catch((error: unknown) => {
    const isUsage =
      error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
    console.error(error instanceof Error ? error.message : error)
    if (isUsage) console.error(`\n${usage}`)
    process.exit(isUsage ? 2 : 1)
  })
} else {
  await runPart(workerData as Part)
}
