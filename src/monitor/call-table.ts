/**
 * A list of calls, as a table; on a phone as cards, by the style sheet.
 * @module
 */
import { html } from 'hono/html'
import type { CallRow } from './call-row.ts'
import { callAddress, type Frame, type Html, name, stateTag, timeTag } from './layout.ts'
import { duration, percent } from './shown-text.ts'

/** The table; `caption` is for those who hear it. */
export function callTable(frame: Frame, caption: string, rows: readonly CallRow[]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="calls">
<caption class="unseen">${caption}</caption>
<thead><tr><th scope="col">State</th><th scope="col">Task</th><th scope="col">Queue</th><th scope="col">Submitted</th><th scope="col" class="number">Waited</th><th scope="col" class="number">Ran</th><th scope="col" class="number">Attempts</th><th scope="col">Detail</th></tr></thead>
<tbody>${rows.map((row) => tableRow(frame, row))}</tbody>
</table></div>`
}

function tableRow(frame: Frame, row: CallRow): Html {
  const { id, task, queue, state, tenant, createdAt, waitMilliseconds, runMilliseconds, attempts } = row
  return html`<tr>
<td data-label="State">${stateTag(state)}</td>
<td data-label="Task" class="main"><a href="${callAddress(frame, id)}">${name(task === '' ? '(not claimed yet)' : task, 80)}</a><span class="id">${name(id, 60)}</span></td>
<td data-label="Queue" class="queue">${name(queue, 40)}${tenant === undefined ? '' : html`<span class="id">${name(tenant, 40)}</span>`}</td>
<td data-label="Submitted" class="time">${timeTag(createdAt, frame.now)}</td>
<td data-label="Waited" class="number">${waitMilliseconds === undefined ? '–' : duration(waitMilliseconds)}</td>
<td data-label="Ran" class="number">${runMilliseconds === undefined ? '–' : duration(runMilliseconds)}</td>
<td data-label="Attempts" class="number">${attempts}</td>
<td data-label="Detail" class="detail">${detailOf(frame, row)}</td>
</tr>`
}

function detailOf({ now }: Frame, row: CallRow): Html {
  const { state, reason, lastError, progress, progressShare, dueAt } = row
  if (state === 'scheduled') return html`due ${timeTag(dueAt, now)}`
  const isHopeful = state === 'succeeded' || state === 'running' || state === 'pending'
  if (lastError !== undefined && !isHopeful) {
    const why = reason === undefined || reason === 'threw' ? '' : html`<strong>${reason}</strong> `
    return html`${why}${name(lastError, 140)}`
  }
  if (reason !== undefined) return html`<strong>${reason}</strong>`
  if (progressShare !== undefined && state === 'running') return progressBar(progressShare)
  return progress === undefined ? html`` : name(progress, 80)
}

/** How far a task is. */
export function progressBar(share: number): Html {
  return html`<progress max="1" value="${share}" aria-label="Progress"></progress> ${percent(share)}`
}
