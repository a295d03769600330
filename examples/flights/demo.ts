/**
 * `npm run demo [-- --once]`: starts the example on the embedded backend, asks for one report over HTTP as any
 * client would, and shows its progress and its table.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { listen, onInterrupt } from './src/listen.ts'
import type { ReportStatus } from './src/report-status.ts'
import { createProgressLine } from './terminal/progress-line.ts'
import { reportLines } from './terminal/report-table.ts'

const USAGE = `Usage: npm run demo [-- --once]

Starts the flights example on this machine, asks for a report over HTTP, and shows it.

  --once   end when the report is shown, instead of serving until Ctrl-C
  --help   show this`

const REQUEST = { minDistance: 0, chunks: 16, pauseMs: 100 }
const POLL_MS = 100
const GIVE_UP_MS = 60_000

function readFlags(): { readonly once: boolean; readonly help: boolean } | undefined {
  try {
    const options = {
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    } as const
    return parseArgs({ options }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    return undefined
  }
}

async function request<T>(
  url: string,
  options: RequestInit = {},
): Promise<{ body: T; location: string | null }> {
  const response = await fetch(url, options)
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return { body: (await response.json()) as T, location: response.headers.get('location') }
}

async function follow(url: string): Promise<ReportStatus> {
  const line = createProgressLine(process.stdout)
  const giveUpAt = Date.now() + GIVE_UP_MS
  try {
    while (Date.now() < giveUpAt) {
      const { body: status } = await request<ReportStatus>(url)
      line.show(status.progress)
      if (status.state !== 'pending' && status.state !== 'running') return status
      await sleep(POLL_MS)
    }
  } finally {
    line.end()
  }
  throw new Error(`the report was not ready after ${GIVE_UP_MS / 1000} s`)
}

async function makeReport(serverUrl: string): Promise<string> {
  console.log(`POST ${serverUrl}/reports ${JSON.stringify(REQUEST)}`)
  const { body, location } = await request<{ id: string }>(`${serverUrl}/reports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(REQUEST),
  })
  console.log(`202, GET ${location}`)
  const status = await follow(new URL(location ?? '', serverUrl).href)
  if (status.report === undefined) throw new Error(status.error ?? `the report was ${status.state}`)
  console.log(`\n${reportLines(status.report).join('\n')}\n`)
  return `${serverUrl}/?report=${body.id}`
}

async function main(once: boolean): Promise<void> {
  // The demo needs no cloud, whatever else this shell is set up for.
  process.env.ERRAND_BACKEND = 'local'
  const server = await listen(0)
  let interrupted = false
  onInterrupt(() => {
    interrupted = true
    return server.close()
  })
  try {
    const pageUrl = await makeReport(server.url)
    console.log(`The same report as a page: ${pageUrl}`)
    if (!once) console.log('Serving until Ctrl-C.')
  } catch (error) {
    // Whoever interrupts it need not be told that the requests under way have failed.
    if (interrupted) return
    await server.close()
    throw error
  }
  if (once) await server.close()
}

const flags = readFlags()
if (flags === undefined) {
  process.exitCode = 2
} else if (flags.help) {
  console.log(USAGE)
} else {
  await main(flags.once).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
}
