/**
 * The schedules: when each is due, what became of its last run, and what can be done to it.
 * @module
 */
import { html } from 'hono/html'
import type { InspectedSchedule, ScheduledRun } from '../runtime/schedules/schedule-control.ts'
import { shownError } from './call-row.ts'
import {
  actionForm,
  callAddress,
  type Frame,
  type Html,
  name,
  note,
  type PageContent,
  stateTag,
  timeTag,
} from './layout.ts'
import type { Redactor } from './redaction.ts'
import { visible } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** What the schedules' page shows. */
export interface ScheduleList {
  readonly schedules: readonly InspectedSchedule[]
}

/** Reads them. */
export async function readSchedules(sources: Sources): Promise<ScheduleList> {
  const { value } = await sources.schedules()
  return { schedules: value.map((each) => redacted(each, sources.redactor)) }
}

function redacted({ last, ...schedule }: InspectedSchedule, redactor: Redactor): InspectedSchedule {
  if (last === undefined) return schedule
  const { lastError } = last
  if (lastError === undefined) return { ...schedule, last }
  return { ...schedule, last: { ...last, lastError: shownError(lastError, schedule.task, redactor) } }
}

/** The schedules' page. */
export function schedulesPage(frame: Frame, { schedules }: ScheduleList): PageContent {
  const body = html`<div class="head"><h1>Schedules</h1></div>
<div data-live="schedules">${schedules.length === 0 ? note('The app declares no schedules.') : table(frame, schedules)}</div>`
  return { title: 'Schedules', section: 'Schedules', body, isLive: true }
}

function table(frame: Frame, schedules: readonly InspectedSchedule[]): Html {
  const heads = [
    'Task',
    'Due',
    'State',
    'Next run',
    'Last run',
    'Outcome',
    ...(frame.canManage ? ['Control'] : []),
  ]
  return html`<div class="scroll" role="region" aria-label="Schedules" tabindex="0"><table class="cards"><thead><tr><th scope="col">Schedule</th>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${schedules.map((each) => row(frame, each))}</tbody></table></div>`
}

function row(frame: Frame, schedule: InspectedSchedule): Html {
  const { task, expression, timezone, state, next, last } = schedule
  return html`<tr><th scope="row">${name(schedule.name)}</th>
<td data-label="Task">${name(task)}</td>
<td data-label="Due" class="detail"><code>${visible(expression)}</code> ${name(timezone)}</td>
<td data-label="State">${state === 'enabled' ? stateTag('OK') : state === 'paused' ? stateTag('paused') : 'not deployed'}</td>
<td data-label="Next run">${time(frame, next)}</td>
<td data-label="Last run">${last === undefined ? '–' : html`<a href="${callAddress(frame, last.id)}">${time(frame, last.dueAt)}</a>`}</td>
<td data-label="Outcome" class="detail">${last === undefined ? '–' : outcome(last)}</td>
${frame.canManage ? html`<td data-label="Control">${controls(frame, schedule)}</td>` : ''}</tr>`
}

function time({ now }: Frame, date: Date | undefined): Html | string {
  return date === undefined ? '–' : timeTag(date.toISOString(), now)
}

function outcome({ state, reason, lastError }: ScheduledRun): Html {
  const why = state === 'succeeded' ? undefined : (lastError ?? reason)
  return html`${stateTag(state)}${why === undefined ? '' : html` ${name(why, 200)}`}`
}

function controls(frame: Frame, { name: schedule, state }: InspectedSchedule): Html {
  const path = (action: string) => `/schedules/${encodeURIComponent(schedule)}/${action}`
  const change =
    state === 'enabled'
      ? actionForm(frame, path('pause'), 'Pause')
      : actionForm(frame, path('resume'), 'Resume')
  return html`<div class="actions">${actionForm(frame, path('run'), 'Run now')}${state === 'missing' ? '' : change}</div>`
}
