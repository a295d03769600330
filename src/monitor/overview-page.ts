/**
 * The overview: what waits, who works, how it went lately.
 * @module
 */
import { html } from 'hono/html'
import type { QueueStats, WorkerStats } from '../runtime/operations/fleet-status.ts'
import type { BackendKind } from '../runtime/ports/backend.ts'
import type { CallRow } from './call-row.ts'
import { callTable } from './call-table.ts'
import { chartsOf } from './chart.ts'
import { RANGES, type Range, type Series } from './figures.ts'
import {
  address,
  choice,
  type Frame,
  type Html,
  name,
  note,
  type PageContent,
  stateTag,
  tile,
  timeTag,
} from './layout.ts'
import { count, duration, mebibytes, percent, visible } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** A part of a page, or why it could not be read: one that fails leaves the others. */
export type Part<Value> = { readonly value: Value } | { readonly error: string }

/** What the overview shows. */
export interface Overview {
  readonly app: string
  readonly range: Range
  readonly backend: BackendKind
  readonly queues: Part<Readonly<Record<string, QueueStats>>>
  readonly workers: Part<Readonly<Record<string, WorkerStats>>>
  readonly series: Part<Series>
  /** The newest calls that failed, five at most, of those that the series is made of. */
  readonly failed: readonly CallRow[]
}

/** Reads the overview. */
export async function readOverview(sources: Sources, range: Range): Promise<Overview> {
  const { clock, kind } = await sources.backend()
  const [queues, workers, window, series] = await Promise.all([
    part(sources.queues()),
    part(sources.workers()),
    part(sources.window()),
    part(sources.series(range)),
  ])
  const oldest = clock.now() - RANGES[range].milliseconds
  const failed =
    'error' in window
      ? []
      : window.value.value.records.filter(({ state, createdAt }) => state === 'failed' && createdAt >= oldest)
  return {
    app: sources.executor.config.name,
    range,
    backend: kind,
    queues: 'error' in queues ? queues : { value: queues.value.value },
    workers: 'error' in workers ? workers : { value: workers.value.value },
    series,
    failed: failed.slice(0, 5).map(sources.rowOf),
  }
}

async function part<Value>(reading: Promise<Value>): Promise<Part<Value>> {
  try {
    return { value: await reading }
  } catch (error) {
    return { error: visible(error instanceof Error ? error.message : String(error), 1000) }
  }
}

/** The overview's page. */
export function overviewPage(frame: Frame, overview: Overview): PageContent {
  const ranges = Object.entries(RANGES).map(([word, { label }]) => ({
    text: label,
    href: address(frame, '', { range: word }),
    isChosen: word === overview.range,
  }))
  const body = html`<div class="head"><h1>Overview</h1>${choice('How far back', ranges)}</div>
<div data-live="tiles">${tiles(frame, overview)}</div>
<div data-live="series">${either(overview.series, (series) => html`${chartsOf(series)}${madeOf(frame, series)}`)}</div>
<section><h2 id="queues">Queues</h2><div data-live="queues">${either(overview.queues, (queues) => queueTable(frame, queues, overview.workers))}</div></section>
<section><h2 id="workers">Workers</h2><div data-live="workers">${either(overview.workers, (workers) => workerTable(workers, overview.backend))}</div></section>
<section><h2 id="failures">Failed lately</h2><div data-live="failed">${
    overview.failed.length === 0
      ? note('Nothing failed in this time.')
      : html`${callTable(frame, 'Calls that failed lately', overview.failed)}<p class="after"><a href="${frame.base}/failed">All failed calls</a></p>`
  }</div></section>`
  return { title: 'Overview', section: 'Overview', body, isLive: true }
}

function either<Value>(part: Part<Value>, show: (value: Value) => Html): Html {
  return 'error' in part ? note(`This cannot be read now: ${part.error}`, 'error') : show(part.value)
}

/** How much the charts are made of, in words. */
export function extent(
  frame: Frame,
  { calls, since, isCut }: Pick<Series, 'calls' | 'since' | 'isCut'>,
): Html {
  const from = timeTag(new Date(since).toISOString(), frame.now)
  return html`<p class="extent">${
    isCut
      ? html`Of the newest ${count(calls)} calls only, submitted since ${from}. There were more before, in this time.`
      : html`Of all ${count(calls)} calls that were submitted since ${from}.`
  }</p>`
}

/** The same of charts, which may be made of what the workers counted. */
function madeOf(frame: Frame, series: Series): Html {
  const { source, problem, calls, since } = series
  if (source === 'calls') {
    return html`${extent(frame, series)}${problem === undefined ? '' : note(`Of these calls only, since CloudWatch cannot be asked: ${problem}`)}`
  }
  const from = timeTag(new Date(since).toISOString(), frame.now)
  return html`<p class="extent">Of all ${count(calls)} calls that ended since ${from}, as the workers counted them in CloudWatch, which is a minute or two late.</p>`
}

function tiles(frame: Frame, { queues, workers, series }: Overview): Html {
  const held = 'value' in queues ? Object.values(queues.value) : undefined
  const sum = (amount: (queue: QueueStats) => number) =>
    held === undefined ? '–' : count(held.reduce((total, queue) => total + amount(queue), 0))
  const dead = sum((queue) => queue.dead ?? 0)
  const ended = 'value' in series ? series.value.buckets : []
  const [failed, succeeded] = [
    ended.reduce((total, bucket) => total + bucket.failed, 0),
    ended.reduce((total, bucket) => total + bucket.succeeded, 0),
  ]
  const states = 'value' in workers ? Object.values(workers.value) : []
  const answering = states.filter(({ state }) => state !== 'no answer').length
  return html`<dl class="tiles">
${tile(
  'Waiting',
  sum(({ visible }) => visible),
)}
${tile(
  'In flight',
  sum(({ inFlight }) => inFlight),
)}
${tile(
  'Delayed',
  sum(({ delayed }) => delayed),
)}
${tile('Dead letters', dead, { isAlarming: dead !== '0' && dead !== '–' })}
${tile('Workers', 'error' in workers ? '–' : `${answering} of ${states.length}`, { isAlarming: answering < states.length })}
${tile('Failed', failed === 0 ? '0' : `${count(failed)} · ${percent(failed / (failed + succeeded))}`, { href: `${frame.base}/failed`, isAlarming: failed > 0 })}
</dl>`
}

function queueTable(
  frame: Frame,
  queues: Readonly<Record<string, QueueStats>>,
  workers: Overview['workers'],
): Html {
  const consumers = 'value' in workers ? Object.entries(workers.value) : []
  const rows = Object.entries(queues).map(([queue, held]) => {
    const { visible, inFlight, delayed, dead, oldestSeconds, paused } = held
    const consumed = consumers.filter(([, each]) => each.queues.includes(queue)).map(([worker]) => worker)
    return html`<tr><th scope="row"><a href="${address(frame, `/queues/${encodeURIComponent(queue)}`)}">${name(queue)}</a></th>
<td data-label="State" class="is">${paused === undefined ? '–' : stateTag(paused ? 'paused' : 'OK')}</td>
<td data-label="Consumed by" class="wide">${consumed.length === 0 ? '–' : name(consumed.join(', '), 200)}</td>
${amountCell('Waiting', visible)}${amountCell('In flight', inFlight)}${amountCell('Delayed', delayed)}
<td data-label="Dead" class="number${dead ? ' alarming' : dead === 0 ? ' none' : ''}">${dead === undefined ? '–' : count(dead)}</td>
<td data-label="Oldest" class="number">${oldestSeconds === undefined ? '–' : duration(oldestSeconds * 1000)}</td></tr>`
  })
  return html`<div class="scroll" role="region" aria-label="Queues" tabindex="0"><table class="cards"><thead><tr><th scope="col">Queue</th><th scope="col">State</th><th scope="col" class="wide">Consumed by</th><th scope="col" class="number">Waiting</th><th scope="col" class="number">In flight</th><th scope="col" class="number">Delayed</th><th scope="col" class="number">Dead</th><th scope="col" class="number">Oldest</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

/** Nothing stands back behind something. */
function amountCell(label: string, amount: number): Html {
  return html`<td data-label="${label}" class="number${amount === 0 ? ' none' : ''}">${count(amount)}</td>`
}

function workerTable(workers: Readonly<Record<string, WorkerStats>>, backend: BackendKind): Html {
  const rows = Object.entries(workers).map(([worker, stats]) => {
    const { state, concurrency, queues, processes, error } = stats
    const [first] = processes
    // One environment of a function answers for all of them: what it runs says nothing of the others.
    const isSample = backend === 'aws' && processes.every(({ processId }) => processId === undefined)
    const running = processes.reduce((total, process) => total + process.running, 0)
    const memory = Math.max(0, ...processes.map(({ memoryBytes }) => memoryBytes))
    const version =
      first?.codeVersion === undefined ? '' : html`<span class="of">${name(first.codeVersion)}</span>`
    return html`<tr><th scope="row">${name(worker)}</th>
<td data-label="State" class="is">${stateTag(state)}</td>
<td data-label="Queues" class="wide">${name(queues.join(', '), 200)} ${version}${error === undefined ? '' : html`<strong class="why">${name(error, 300)}</strong>`}</td>
<td data-label="Running" class="number">${isSample ? '–' : count(running)}<span class="of"> of ${count(concurrency)}</span></td>
<td data-label="Memory" class="number">${first === undefined ? '–' : mebibytes(memory)}</td>
<td data-label="Up" class="number">${first === undefined ? '–' : duration(Math.max(...processes.map(({ uptimeSeconds }) => uptimeSeconds)) * 1000)}</td></tr>`
  })
  return html`<div class="scroll" role="region" aria-label="Workers" tabindex="0"><table class="cards"><thead><tr><th scope="col">Worker</th><th scope="col">State</th><th scope="col" class="wide">Queues</th><th scope="col" class="number">Running</th><th scope="col" class="number">Memory</th><th scope="col" class="number">Up</th></tr></thead><tbody>${rows}</tbody></table></div>`
}
