/**
 * What failed: grouped by task and error, then one by one; and the page that asks before all of it is retried.
 * @module
 */
import { html } from 'hono/html'
import { callTable } from './call-table.ts'
import type { FailedCalls, FailedGroup } from './failed-calls.ts'
import {
  actionForm,
  address,
  type Frame,
  type Html,
  name,
  note,
  type PageContent,
  timeTag,
} from './layout.ts'
import { count } from './shown-text.ts'

/** What failed, and what the form offers. */
export interface FailedList extends FailedCalls {
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
}

/** The page of what failed. */
export function failedPage(frame: Frame, failed: FailedList): PageContent {
  const { calls, groups, filter } = failed
  const retry =
    frame.canManage && calls.length > 0
      ? html`<a class="button" href="${address(frame, '/failed/retry', filter)}">Retry all of these…</a>`
      : ''
  const body = html`<div class="head"><h1>Failed calls</h1>${retry}</div>
${filterForm(frame, failed)}
<div data-live="failed">
<p class="extent">${extentOf(failed)}</p>
${calls.length === 0 ? note('Nothing has failed. What fails is kept here with its arguments, to be looked at and retried.') : html`<h2>By error</h2>${groupTable(frame, groups, filter.queue)}<h2>The last that failed</h2>${callTable(frame, 'Failed calls, the last first', calls)}`}
</div>`
  return { title: 'Failed calls', section: 'Failed', body, isLive: true }
}

function extentOf({ count: matching, lookedAt, isComplete, calls }: FailedCalls): string {
  const listed = calls.length < matching ? `, of which the last ${calls.length} are listed` : ''
  if (isComplete) return `${count(matching)} of all ${count(lookedAt)} failed calls that are kept${listed}.`
  return `${count(matching)} of ${count(lookedAt)} failed calls that were looked at${listed}. There are more: choose a queue or a later time.`
}

function filterForm(frame: Frame, { queues, tasks, filter }: FailedList): Html {
  return html`<form class="filter" method="get" action="${frame.base}/failed" role="search" aria-label="Filter failed calls">
<label>Queue<select name="queue"><option value="">all</option>${queues.map((queue) => html`<option${queue === filter.queue ? html` selected` : ''}>${queue}</option>`)}</select></label>
<label>Task<input name="task" value="${filter.task ?? ''}" list="tasks" autocomplete="off" maxlength="200"></label>
<datalist id="tasks">${tasks.map((task) => html`<option value="${task}"></option>`)}</datalist>
<label>Failed since, UTC<input type="datetime-local" name="since" step="1" value="${(filter.since ?? '').slice(0, 19)}"></label>
<p class="buttons"><button>Filter</button><a href="${address(frame, '/failed')}">Clear</a></p></form>`
}

function groupTable(frame: Frame, groups: readonly FailedGroup[], queue: string | undefined): Html {
  const rows = groups.slice(0, 50).map(
    ({ task, error, count: times, newestAt }) => html`<tr>
<th scope="row"><a href="${address(frame, '/failed', { task, queue })}">${name(task)}</a></th>
<td data-label="Error" class="wide">${name(error)}</td><td data-label="Calls" class="number">${count(times)}</td>
<td data-label="Last" class="time">${timeTag(newestAt, frame.now)}</td></tr>`,
  )
  return html`<div class="scroll" role="region" aria-label="Failures by task and error" tabindex="0"><table class="cards groups"><thead><tr><th scope="col">Task</th><th scope="col" class="wide">Error</th><th scope="col" class="number">Calls</th><th scope="col">Last</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

/** The page that says how many would be retried. */
export function retryAllPage(
  frame: Frame,
  { count: matching, isComplete, filter }: FailedCalls,
): PageContent {
  const number = isComplete ? count(matching) : `${count(matching)} or more`
  const conditions = [
    filter.queue === undefined ? '' : html` of the queue ${name(filter.queue)}`,
    filter.task === undefined ? '' : html` of the task ${name(filter.task)}`,
    filter.since === undefined ? '' : html` that failed since ${timeTag(filter.since, frame.now)}`,
  ]
  const fields = Object.entries(filter).map(
    ([key, value]) => html`<input type="hidden" name="${key}" value="${value}">`,
  )
  const body = html`<h1>Retry all</h1>
<div class="panel question"><p>Retry <strong>${number}</strong> failed ${matching === 1 && isComplete ? 'call' : 'calls'}${conditions}, with the arguments that were kept and new allowances?</p>
<div class="actions">${matching === 0 || !frame.canManage ? '' : actionForm(frame, '/failed/retry', `Retry ${number}`, { fields: html`${fields}` })}<a href="${address(frame, '/failed', filter)}">Back</a></div></div>`
  return { title: 'Retry all', section: 'Failed', body }
}
