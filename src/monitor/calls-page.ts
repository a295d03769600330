/**
 * The list of calls, filtered and paged.
 * @module
 */
import { html } from 'hono/html'
import type { CallState } from '../runtime/call/record.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { CallFilter } from '../runtime/operations/call-listing.ts'
import type { CallRow } from './call-row.ts'
import { callTable } from './call-table.ts'
import { address, type Frame, type Html, note, type PageContent } from './layout.ts'
import { count } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** A page of calls. */
export interface CallList {
  readonly calls: readonly CallRow[]
  readonly lookedAt: number
  readonly complete: boolean
  /** The `after` of the page that follows. */
  readonly next?: string
  /** What the form offers. */
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
}

const states: readonly CallState[] = [
  ...(['pending', 'scheduled', 'running', 'retrying', 'succeeded', 'failed', 'cancelled'] as const),
]

/**
 * Reads the page that a query asks for.
 * @throws InvalidOptionError
 */
export async function readCallList(sources: Sources, query: URLSearchParams): Promise<CallList> {
  const { executor } = sources
  const text = (key: string) => query.get(key)?.trim() || undefined
  const [queue, task, tenant, after] = [text('queue'), text('task'), text('tenant'), text('after')]
  const [since, until] = [dateOf('since', text('since')), dateOf('until', text('until'))]
  const state = query.getAll('state').filter((each) => each !== '') as CallState[]
  const filter: CallFilter = {
    ...(queue !== undefined && { queue }),
    ...(task !== undefined && { task }),
    ...(tenant !== undefined && { tenant }),
    ...(state.length > 0 && { state }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
  const page = await executor.inspect.calls(filter, after === undefined ? {} : { after })
  return {
    calls: page.calls.map(sources.row),
    lookedAt: page.lookedAt,
    complete: page.complete,
    ...(page.next !== undefined && { next: page.next }),
    queues: [...executor.config.queues.keys()],
    tasks: sources.taskNames(),
  }
}

/**
 * A time of a query: ISO, or what a browser's field gives, in UTC.
 * @throws InvalidOptionError
 */
export function dateOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/.test(text)
  const date = new Date(hasZone || !text.includes('T') ? text : `${text}Z`)
  if (Number.isFinite(date.getTime())) return date
  throw new InvalidOptionError(
    `\`${name}\` is ${showValue(text)}, expected a time in UTC such as 2026-10-01T10:30`,
  )
}

/** The list's page. */
export function callsPage(frame: Frame, list: CallList): PageContent {
  const { calls, lookedAt, complete, next } = list
  const looked = `Looked at ${count(lookedAt)} ${lookedAt === 1 ? 'call' : 'calls'}, ${count(calls.length)} of them ${calls.length === 1 ? 'is' : 'are'} shown${complete ? '; nothing comes after them' : ''}.`
  const isFirst = !frame.query.has('after')
  const byId = html`<form class="filter by-id" method="get" action="${frame.base}/calls" role="search" aria-label="Find a call by its id"><label>Id<input name="id" maxlength="200" autocomplete="off" spellcheck="false"></label><button>Find</button></form>`
  const body = html`<div class="head"><h1>Calls</h1>${byId}</div>
${filterForm(frame, list)}
<div data-live="calls">
${calls.length === 0 ? note(complete ? 'No calls match.' : 'None of these calls match. Go on to look at older ones.') : callTable(frame, 'Calls, the newest first', calls)}
<p class="extent">${looked}</p>
<p class="pager">${isFirst ? '' : html`<a href="${pageAddress(frame, undefined)}">Newest</a>`}${next === undefined ? '' : html`<a href="${pageAddress(frame, next)}" rel="next">Older calls</a>`}</p>
</div>`
  return { title: 'Calls', section: 'Calls', body, isLive: isFirst }
}

function pageAddress(frame: Frame, after: string | undefined): string {
  const query = new URLSearchParams(frame.query)
  query.delete('after')
  query.delete('format')
  if (after !== undefined) query.set('after', after)
  const text = query.toString()
  return `${frame.base}/calls${text === '' ? '' : `?${text}`}`
}

function filterForm(frame: Frame, { queues, tasks }: CallList): Html {
  const given = (key: string) => frame.query.get(key) ?? ''
  const chosen = new Set(frame.query.getAll('state'))
  const shownStates = states.map(
    (state) =>
      html`<label class="check"><input type="checkbox" name="state" value="${state}"${chosen.has(state) ? html` checked` : ''}>${state}</label>`,
  )
  const isExact = given('since') !== '' || given('until') !== '' || given('tenant') !== ''
  return html`<form class="filter" method="get" action="${frame.base}/calls" role="search" aria-label="Filter calls">
<label>Queue<select name="queue"><option value="">all</option>${queues.map((queue) => html`<option${queue === given('queue') ? html` selected` : ''}>${queue}</option>`)}</select></label>
<label>Task<input name="task" value="${given('task')}" list="tasks" autocomplete="off" maxlength="200"></label>
<datalist id="tasks">${tasks.map((task) => html`<option value="${task}"></option>`)}</datalist>
<fieldset><legend>State</legend>${shownStates}</fieldset>
<p class="buttons"><button>Filter</button><a href="${address(frame, '/calls')}">Clear</a></p>
<details id="more-filters"${isExact ? html` open` : ''}><summary>Time and tenant</summary><div class="row">
<label>Submitted from, UTC<input type="datetime-local" name="since" value="${fieldTime(given('since'))}" step="1"></label>
<label>up to, UTC<input type="datetime-local" name="until" value="${fieldTime(given('until'))}" step="1"></label>
<label>Tenant<input name="tenant" value="${given('tenant')}" maxlength="200"></label></div></details></form>`
}

/** As a browser's field wants it. */
function fieldTime(text: string): string {
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/.test(text)
  return hasZone && Number.isFinite(Date.parse(text)) ? new Date(text).toISOString().slice(0, 19) : text
}
