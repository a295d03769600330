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
  stateTag,
  timeTag,
} from './layout.ts'
import { duration } from './shown-text.ts'

/** The page of a call. */
export function callPage(frame: Frame, call: CallDetail): PageContent {
  const { id, task, state, errors, result, submitted } = call
  const body = html`<div data-live="call">
<div class="head"><h1>${name(task === '' ? '(not claimed yet)' : task)}</h1>${stateTag(state)}</div>
<p class="id">${name(id, 200)}</p>
${frame.canManage ? actions(frame, call) : ''}
<dl class="facts">${facts(frame, call)}</dl>
${errors === undefined ? '' : html`<section><h2>Error</h2>${errors.map(errorView)}</section>`}
${result === undefined ? '' : html`<section><h2>Result</h2>${payload(result)}</section>`}
${argumentsView(call)}
${submitted.length === 0 ? '' : html`<section><h2>Calls that it submitted</h2><p class="extent">As far as they are among the newest calls.</p>${callTable(frame, 'Calls that it submitted', submitted)}</section>`}
</div>`
  const isOver = state === 'succeeded' || state === 'failed' || state === 'cancelled'
  return { title: `${task} ${id}`, section: 'Calls', body, isLive: !isOver }
}

function facts(frame: Frame, call: CallDetail): readonly Html[] {
  const {
    queue,
    tenant,
    state,
    attempts,
    failures,
    kills,
    depth,
    parent,
    followUps,
    reason,
    abortReason,
    log,
  } = call
  const { createdAt, dueAt, startedAt, finishedAt, leaseUntil, expiresAt } = call
  const { waitMilliseconds, runMilliseconds, progress, progressShare, lastError, errors } = call
  const time = (iso: string | undefined) => iso && timeTag(iso, frame.now)
  const rows: readonly (readonly [string, Html | string | false | undefined])[] = [
    ['Queue', html`<a href="${address(frame, `/queues/${encodeURIComponent(queue)}`)}">${name(queue)}</a>`],
    ['Tenant', tenant && name(tenant)],
    ['Reason', reason],
    ['Asked to stop', abortReason && name(abortReason, 200)],
    ['Progress', progress === undefined ? undefined : progressOf(progress, progressShare)],
    ['Attempts', attemptsText(attempts, failures, kills)],
    ['Last error', errors === undefined && lastError !== undefined ? name(lastError, 300) : undefined],
    ['Submitted', time(createdAt)],
    ['Due', dueAt === createdAt ? undefined : time(dueAt)],
    ['Last attempt began', time(startedAt)],
    ['Ended', time(finishedAt)],
    ['Waited', waitMilliseconds === undefined ? undefined : duration(waitMilliseconds)],
    ['Running for', state === 'running' && startedAt && duration(frame.now - Date.parse(startedAt))],
    ['Ran', runMilliseconds === undefined ? undefined : duration(runMilliseconds)],
    ['Total', finishedAt && duration(Date.parse(finishedAt) - Date.parse(createdAt))],
    ['Owned until', time(leaseUntil)],
    ['Submitted by', parent && html`<a href="${callAddress(frame, parent)}">${name(parent, 200)}</a>`],
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

function progressOf(progress: string, share: number | undefined): Html {
  return html`${share === undefined ? '' : progressBar(share)} <code>${progress}</code>`
}

function attemptsText(attempts: number, failures: number, kills: number): string {
  if (attempts === 0) return 'none yet'
  const parts = [failures > 0 ? `${failures} failed` : '', kills > 0 ? `${kills} killed` : ''].filter(Boolean)
  return parts.length === 0 ? String(attempts) : `${attempts}: ${parts.join(', ')}`
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
    const why =
      state === 'succeeded' || state === 'cancelled' ? 'They are kept of calls that fail, alone.' : ''
    return why === '' ? html`` : html`<section>${heading}${note(why)}</section>`
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
