/**
 * One call's page.
 * @module
 */
import { html } from 'hono/html'
import type { CallDetail, ShownError, ShownPayload } from './call-detail.ts'
import { callTable, progressBar } from './call-table.ts'
import {
  actionForm,
  address,
  callAddress,
  type Frame,
  type Html,
  name,
  note,
  type PageContent,
  shortId,
  stateTag,
  timeTag,
} from './layout.ts'
import { duration } from './shown-text.ts'

/** The page of a call. */
export function callPage(frame: Frame, call: CallDetail): PageContent {
  const { id, task, state, errors, result, headers, submitted, progress, progressShare } = call
  const body = html`<div data-live="call">
<div class="head"><h1>${name(task === '' ? '(not claimed yet)' : task)}</h1>${stateTag(state)}${frame.canManage ? actions(frame, call) : ''}</div>
<p class="id whole">${name(id, 200)}</p>
${progress === undefined ? '' : html`<p class="progress">${progressOf(progress, progressShare)}</p>`}
<dl class="facts">${facts(frame, call)}</dl>
${errors === undefined ? '' : html`<section><h2>Error</h2>${errors.map(errorView)}</section>`}
${result === undefined ? '' : html`<section><h2>Result</h2>${payload(result)}</section>`}
${argumentsView(call)}
${headers === undefined ? '' : html`<section><h2>Headers</h2><pre tabindex="0">${headers}</pre></section>`}
${attemptsView(frame, call)}
${submitted.length === 0 ? '' : html`<section><h2>Calls that it submitted</h2><p class="extent">As far as they are among the newest calls.</p>${callTable(frame, 'Calls that it submitted', submitted)}</section>`}
</div>`
  const isOver = state === 'succeeded' || state === 'failed' || state === 'cancelled'
  return { title: `${task} ${id}`, section: 'Calls', body, isLive: !isOver }
}

function facts(frame: Frame, call: CallDetail): readonly Html[] {
  const { queue, tenant, reason, abortReason, depth, parent, followUps, log, lastError, errors } = call
  const { createdAt, dueAt, finishedAt, leaseUntil, expiresAt, waitMilliseconds, attempts } = call
  const time = (iso: string | undefined) => iso && timeTag(iso, frame.now)
  const noAttempts = finishedAt === undefined ? 'none yet' : 'none'
  const rows: readonly (readonly [string, Html | string | false | undefined])[] = [
    ['Queue', html`<a href="${address(frame, `/queues/${encodeURIComponent(queue)}`)}">${name(queue)}</a>`],
    ['Tenant', tenant && name(tenant)],
    ['Reason', reason],
    ['Asked to stop', abortReason && name(abortReason, 200)],
    ['Submitted', time(createdAt)],
    ['Due', dueAt === createdAt ? undefined : time(dueAt)],
    ['Ended', time(finishedAt)],
    ['Waited', waitMilliseconds === undefined ? undefined : duration(waitMilliseconds)],
    ['Took in all', finishedAt && duration(Date.parse(finishedAt) - Date.parse(createdAt))],
    ['Attempts', attempts === 0 ? noAttempts : undefined],
    ['Last error', errors === undefined && lastError !== undefined ? name(lastError, 300) : undefined],
    ['Owned until', time(leaseUntil)],
    ['Submitted by', parent && html`<a href="${callAddress(frame, parent)}">${shortId(parent)}</a>`],
    ['Calls above it', depth === 0 ? undefined : String(depth)],
    ['Followed by', followUps && followUpText(followUps)],
    ['Log', log && html`<a href="${log}" rel="noreferrer">CloudWatch</a>`],
    ['Kept until', time(expiresAt)],
  ]
  return rows.flatMap(([label, value]) =>
    value === undefined || value === '' || value === false
      ? []
      : [html`<div><dt>${label}</dt><dd>${value}</dd></div>`],
  )
}

/** The record tells of the last few: of more there would be more to pay for at every write. */
function attemptsView({ now }: Frame, { attempts, history, failures, kills }: CallDetail): Html {
  if (history.length === 0) return html``
  const counts = [failures > 0 ? `${failures} failed` : '', kills > 0 ? `${kills} killed` : ''].filter(
    Boolean,
  )
  const all = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}.`
  const rows = history.map(({ attempt, ended, startedAt, runMilliseconds, error }) => {
    const isRunning = ended === 'running' && startedAt !== undefined
    const ran = isRunning ? now - Date.parse(startedAt) : runMilliseconds
    return html`<tr><th scope="row" class="number">${attempt}</th><td>${stateTag(ended)}</td>
<td data-label="Began" class="time">${startedAt === undefined ? '–' : timeTag(startedAt, now)}</td>
<td data-label="Ran" class="number">${ran === undefined ? '–' : duration(ran)}</td>
<td data-label="Error" class="wide">${error === undefined ? '' : name(error)}</td></tr>`
  })
  return html`<section><h2>Attempts</h2>
<p class="extent">${all}${history.length < attempts ? ` The last ${history.length} are known, the others in the log.` : ''}${kills > 0 ? ' What was killed could not say when it began.' : ''}</p>
<div class="scroll" role="region" aria-label="Attempts" tabindex="0"><table class="attempts"><thead><tr><th scope="col" class="number">No.</th><th scope="col">State</th><th scope="col">Began</th><th scope="col" class="number">Ran</th><th scope="col" class="wide">Error</th></tr></thead><tbody>${rows}</tbody></table></div></section>`
}

function progressOf(progress: string, share: number | undefined): Html {
  return html`${share === undefined ? '' : progressBar(share)} <code>${progress}</code>`
}

function followUpText(followUps: NonNullable<CallDetail['followUps']>): Html | undefined {
  const parts = [
    followUps.then === undefined ? '' : html`then ${name(followUps.then)} `,
    followUps.catch === undefined ? '' : html`catch ${name(followUps.catch)}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? undefined : html`${parts}`
}

function errorView({ name: errorName, message, stack }: ShownError, index: number): Html {
  return html`<div class="error">${index === 0 ? '' : html`<p class="extent">caused by</p>`}
<p><strong>${errorName}</strong> <bdi>${message}</bdi></p>
${stack === undefined ? '' : html`<details id="stack-${index}"><summary>Stack</summary><pre class="stack" tabindex="0">${stack}</pre></details>`}</div>`
}

function payload(shown: ShownPayload): Html {
  return 'text' in shown
    ? html`<pre tabindex="0">${shown.text}</pre>`
    : note(`It is not shown: ${shown.absent}.`)
}

function argumentsView({ arguments: args, state }: CallDetail): Html {
  const heading = html`<h2>Arguments</h2>`
  if (args === undefined) {
    if (state !== 'succeeded' && state !== 'cancelled') return html``
    return html`<section>${heading}${note('They are kept of calls that fail, and of tasks that say so by keepArguments.')}</section>`
  }
  if ('absent' in args)
    return html`<section>${heading}${note(`They are not shown: ${args.absent}.`)}</section>`
  if ('text' in args) return html`<section>${heading}${payload(args)}</section>`
  if (args.length === 0) return html`<section>${heading}${note('None.')}</section>`
  const shown = args.map((text) => html`<li><pre tabindex="0">${text}</pre></li>`)
  return html`<section>${heading}<ol class="arguments" start="0">${shown}</ol></section>`
}

function actions(frame: Frame, { id, state }: CallDetail): Html {
  const path = (action: string) => `/calls/${encodeURIComponent(id)}/${action}`
  if (state === 'failed') {
    return html`<div class="actions">${actionForm(frame, path('retry'), 'Retry')}</div>`
  }
  if (state === 'running') {
    const fields = html`<label>Reason<input name="reason" maxlength="200" value="aborted in the monitor"></label>`
    return html`<div class="actions">${actionForm(frame, path('abort'), 'Abort', { fields, isDangerous: true })}</div>`
  }
  if (state === 'succeeded' || state === 'cancelled') return html``
  return html`<div class="actions">${actionForm(frame, path('cancel'), 'Cancel', { isDangerous: true })}</div>`
}
