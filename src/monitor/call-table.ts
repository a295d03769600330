/**
 * A list of calls, as a table of a line each; on a phone as cards, by the style sheet.
 * @module
 */
import { html } from 'hono/html'
import type { CallRow } from './call-row.ts'
import { callAddress, type Frame, type Html, name, shortId, stateTag, timeTag } from './layout.ts'
import { duration, percent } from './shown-text.ts'

/**
 * The table; `caption` is for those who hear it. Tenants have a column where there are any, states where they are not
 * all `failed`.
 */
export function callTable(frame: Frame, caption: string, rows: readonly CallRow[]): Html {
  const has = {
    states: rows.some(({ state }) => state !== 'failed'),
    tenants: rows.some(({ tenant }) => tenant !== undefined),
  }
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="calls">
<caption class="unseen">${caption}</caption>
<thead><tr>${has.states ? html`<th scope="col">State</th>` : ''}<th scope="col">Task</th><th scope="col">Id</th><th scope="col">Queue</th>${has.tenants ? html`<th scope="col">Tenant</th>` : ''}<th scope="col">Submitted</th><th scope="col" class="number">Waited</th><th scope="col" class="number">Ran</th><th scope="col" class="number">Attempts</th><th scope="col">Detail</th></tr></thead>
<tbody>${rows.map((row) => tableRow(frame, row, has))}</tbody>
</table></div>`
}

function tableRow(
  frame: Frame,
  row: CallRow,
  has: { readonly states: boolean; readonly tenants: boolean },
): Html {
  const { id, task, queue, state, tenant, createdAt, waitMilliseconds, runMilliseconds, attempts } = row
  return html`<tr>
${has.states ? html`<td data-label="State" class="is">${stateTag(state)}</td>` : ''}
<td data-label="Task" class="main"><a href="${callAddress(frame, id)}">${name(task === '' ? '(not claimed yet)' : task, 80)}</a></td>
<td data-label="Id" class="id">${shortId(id)}</td>
<td data-label="Queue">${name(queue, 40)}</td>
${has.tenants ? html`<td data-label="Tenant" class="tenant">${tenant === undefined ? '' : name(tenant, 60)}</td>` : ''}
<td data-label="Submitted" class="time">${timeTag(createdAt, frame.now)}</td>
<td data-label="Waited" class="number less">${waitMilliseconds === undefined ? '–' : duration(waitMilliseconds)}</td>
<td data-label="Ran" class="number ${runMilliseconds === undefined ? 'less' : 'ran'}">${runMilliseconds === undefined ? '–' : duration(runMilliseconds)}</td>
<td data-label="Attempts" class="number less">${attempts}</td>
<td data-label="Detail" class="line">${detailOf(frame, row)}</td>
</tr>`
}

function detailOf({ now }: Frame, row: CallRow): Html | string {
  const { state, reason, lastError, abortReason, progress, progressShare, dueAt } = row
  if (state === 'scheduled') return html`due ${timeTag(dueAt, now)}`
  if (state === 'retrying') return html`due ${timeTag(dueAt, now)} · ${name(lastError ?? '', 140)}`
  if (abortReason !== undefined) return html`<strong>asked to stop</strong> ${name(abortReason, 140)}`
  if (state === 'failed') {
    const why = reason === undefined || reason === 'threw' ? '' : html`<strong>${reason}</strong> `
    return html`${why}${name(lastError ?? '', 140)}`
  }
  if (state !== 'running') return ''
  if (progressShare !== undefined) return progressBar(progressShare)
  return progress === undefined ? '' : name(progress, 80)
}

/** How far a task is. */
export function progressBar(share: number): Html {
  return html`<progress max="1" value="${share}" aria-label="Progress"></progress> ${percent(share)}`
}
