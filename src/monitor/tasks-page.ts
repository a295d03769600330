/**
 * What each task does: rates, times, failures by error.
 * @module
 */
import { html } from 'hono/html'
import { RANGES, type Range, type TaskFigures, taskFigures } from './figures.ts'
import { address, choice, type Frame, type Html, name, note, type PageContent } from './layout.ts'
import { extent } from './overview-page.ts'
import { count, duration, percent } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** What the tasks page shows. */
export interface TaskList {
  readonly range: Range
  readonly tasks: readonly TaskFigures[]
  /** Tasks that are registered, and of which there is no call. */
  readonly idle: readonly string[]
  /** How many calls the figures are made of. */
  readonly calls: number
  readonly since: number
  readonly isCut: boolean
}

/** Reads the figures. */
export async function readTaskList(sources: Sources, range: Range): Promise<TaskList> {
  const { value: window, readAt } = await sources.window()
  const tasks = taskFigures(window, range, readAt)
  const seen = new Set(tasks.map(({ task }) => task))
  const wanted = readAt - RANGES[range].milliseconds
  return {
    range,
    tasks,
    idle: sources.taskNames().filter((task) => !seen.has(task)),
    calls: tasks.reduce((total, { calls }) => total + calls, 0),
    since: Math.max(wanted, window.since),
    isCut: window.since > wanted,
  }
}

/** The tasks' page. */
export function tasksPage(frame: Frame, list: TaskList): PageContent {
  const ranges = Object.entries(RANGES).map(([word, { label }]) => ({
    text: label,
    href: address(frame, '/tasks', { range: word }),
    isChosen: word === list.range,
  }))
  const body = html`<div class="head"><h1>Tasks</h1>${choice('How far back', ranges)}</div>
<div data-live="tasks">${extent(frame, list)}
${list.tasks.length === 0 ? note('No calls were submitted in this time.') : table(frame, list.tasks)}
${list.idle.length === 0 ? '' : html`<h2>Without calls in this time</h2><p class="names">${list.idle.map((task) => html`<span>${name(task)}</span> `)}</p>`}</div>`
  return { title: 'Tasks', section: 'Tasks', body, isLive: true }
}

const columns = ['Calls', 'Per minute', 'Failed', 'Retries', 'Run p50', 'Run p95', 'Run p99', 'Wait p95']

function table(frame: Frame, tasks: readonly TaskFigures[]): Html {
  const heads = columns.map((column) => html`<th scope="col" class="number">${column}</th>`)
  return html`<div class="scroll" role="region" aria-label="Tasks" tabindex="0"><table class="cards tasks"><thead><tr><th scope="col">Task</th>${heads}<th scope="col" class="wide">Errors</th></tr></thead><tbody>${tasks.map((each) => row(frame, each))}</tbody></table></div>`
}

function row(frame: Frame, figures: TaskFigures): Html {
  const { task, calls, callsPerMinute, failed, succeeded, retries, run, wait, errors } = figures
  const rate = failed === 0 ? '0' : `${count(failed)} · ${percent(failed / (failed + succeeded))}`
  const time = (milliseconds: number | undefined) =>
    milliseconds === undefined ? '–' : duration(milliseconds)
  const cells = [
    count(calls),
    count(callsPerMinute),
    failed === 0 ? rate : html`<a class="alarming" href="${address(frame, '/failed', { task })}">${rate}</a>`,
    count(retries),
    ...[time(run?.p50), time(run?.p95), time(run?.p99), time(wait?.p95)],
  ]
  const shown = errors
    .slice(0, 4)
    .map((error) => html`<span>${name(error.name)} ×${count(error.count)}</span> `)
  return html`<tr><th scope="row"><a href="${address(frame, '/calls', { task })}">${name(task)}</a></th>
${cells.map((cell, index) => html`<td data-label="${columns[index]}" class="number">${cell}</td>`)}
<td data-label="Errors" class="errors wide">${shown}</td></tr>`
}
