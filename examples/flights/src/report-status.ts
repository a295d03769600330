/**
 * How far a report is, from the group of its calls: in any process, since the id says which calls these are.
 * @module
 */
import { type CallState, type FutureGroup, InvalidOptionError, type Snapshot } from 'errand'
import { client } from './client.ts'
import { REPORT_FIELDS } from './report-request.ts'
import { type Report, reportOf, type Summary } from './summary.ts'

/** What `GET /reports/:id` answers. */
export interface ReportStatus {
  readonly id: string
  readonly state: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  /** 0–1. */
  readonly progress: number
  /** How many chunks are in each state; states that none is in are left out. */
  readonly counts: Readonly<Partial<Record<CallState, number>>>
  /** Once it has succeeded. */
  readonly report?: Report
  /** Once it has failed. */
  readonly error?: string
}

/** The report of this id, `undefined` where there is none. One batched read while it runs; then its results too. */
export async function readReport(id: string): Promise<ReportStatus | undefined> {
  const group = groupOf(id)
  if (group === undefined) return undefined
  const snapshots = (await group.snapshots()).filter((snapshot) => snapshot?.task === 'reports.summarise')
  // All or nothing: without one of its chunks there is no report, and a stranger's calls are none of ours.
  if (snapshots.length < group.length) return undefined
  const chunks = snapshots as Snapshot[]
  const state = stateOf(chunks)
  const status = { id, state, progress: progressOf(chunks), counts: countsOf(chunks) }
  if (state === 'succeeded') return { ...status, report: await resultOf(group) }
  if (state === 'failed') return { ...status, error: failureOf(chunks) }
  return status
}

function groupOf(id: string): FutureGroup<Summary> | undefined {
  try {
    const group = client.group<Summary>(id)
    return group.length >= 1 && group.length <= REPORT_FIELDS.chunks.max ? group : undefined
  } catch (error) {
    if (InvalidOptionError.is(error)) return undefined
    throw error
  }
}

async function resultOf(group: FutureGroup<Summary>): Promise<Report> {
  const summaries = await group.results({ timeoutSeconds: 10 })
  const [first] = summaries as [Summary, ...Summary[]]
  return reportOf(first.filter, summaries)
}

const isFinal = ({ state }: Snapshot) => state === 'succeeded' || state === 'failed' || state === 'cancelled'

function stateOf(chunks: readonly Snapshot[]): ReportStatus['state'] {
  if (chunks.every(({ state }) => state === 'pending' || state === 'scheduled')) return 'pending'
  if (!chunks.every(isFinal)) return 'running'
  if (chunks.some(({ state }) => state === 'failed')) return 'failed'
  return chunks.some(({ state }) => state === 'cancelled') ? 'cancelled' : 'succeeded'
}

function progressOf(chunks: readonly Snapshot[]): number {
  const parts = chunks.map((chunk) => (isFinal(chunk) ? 1 : partOf(chunk.progress)))
  return parts.reduce((sum, part) => sum + part, 0) / chunks.length
}

function partOf(progress: unknown): number {
  if (typeof progress !== 'object' || progress === null) return 0
  const { done, total } = progress as { readonly done?: unknown; readonly total?: unknown }
  return typeof done === 'number' && typeof total === 'number' && total > 0 ? done / total : 0
}

function countsOf(chunks: readonly Snapshot[]): Partial<Record<CallState, number>> {
  const counts: Partial<Record<CallState, number>> = {}
  for (const { state } of chunks) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

/** Why, without the error's own words: they are for the log, and may hold what a client should not read. */
function failureOf(chunks: readonly Snapshot[]): string {
  const failed = chunks.filter(({ state }) => state === 'failed')
  const reasons = [...new Set(failed.map(({ reason }) => reason))].join(', ')
  return `${failed.length} of ${chunks.length} chunks failed (${reasons}); ask for the report again`
}
