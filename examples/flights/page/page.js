// The page's behaviour: asks for a report, follows it, and shows it. Whatever comes from the server is shown by
// textContent and attributes, never as markup.
import { drawChart } from '/chart.js'
import { follow } from '/follow.js'

const SLOW_PAUSE_MS = 120

const $ = (id) => document.getElementById(id)
const form = $('form')
const button = form.querySelector('button')
const whole = new Intl.NumberFormat('en-US')
const minutes = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat('en-US', { style: 'percent', minimumFractionDigits: 1 })
const shown = (format, value) => (value === null ? '–' : format.format(value))

const columns = [
  ['Flights', ({ flights }) => whole.format(flights)],
  ['Late', ({ lateShare }) => shown(percent, lateShare)],
  ['Mean', ({ meanDelay }) => shown(minutes, meanDelay)],
  ['Median', ({ medianDelay }) => shown(minutes, medianDelay)],
  ['p90', ({ p90Delay }) => shown(whole, p90Delay)],
]

/** What the columns are called where there is room to say it. */
const longTitles = ['Flights', 'Late', 'Mean delay', 'Median delay', 'p90 delay']
const units = ['', '', ' min', ' min', ' min']

/** The report that is asked for or opened now; aborted by the next, so that nothing of it is shown any more. */
let current = new AbortController()
let currentId

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const fields = new FormData(form)
  const numberOf = (name) => Number(fields.get(name))
  void run(async () => {
    const { id } = await request('/reports', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        minDistance: numberOf('minDistance'),
        maxDistance: numberOf('maxDistance'),
        chunks: numberOf('chunks'),
        pauseMs: fields.has('slowly') ? SLOW_PAUSE_MS : 0,
      }),
    })
    history.pushState(null, '', `/?report=${encodeURIComponent(id)}`)
    return id
  })
})

addEventListener('popstate', openLinked)
openLinked()

function openLinked() {
  const id = new URLSearchParams(location.search).get('report')
  if (id !== null) {
    void run(async () => id)
    return
  }
  current.abort()
  show()
}

$('cancel').addEventListener('click', async () => {
  $('cancel').disabled = true
  await request(`${tasksOf(currentId)}/abort`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'cancelled on the page' }),
  }).catch(showError)
})

/** Where the calls of a report are followed and stopped. */
function tasksOf(id) {
  return `/tasks/groups/${encodeURIComponent(id)}`
}

/** Shows a report from its id on: progress, then the figures, or what went wrong. */
async function run(idOf) {
  current.abort()
  current = new AbortController()
  const { signal } = current
  show('running')
  showProgress({ progress: 0, counts: {} })
  button.disabled = true
  $('cancel').disabled = true
  try {
    const id = await idOf()
    signal.throwIfAborted()
    const status = await finished(id, signal)
    signal.throwIfAborted()
    if (status.state !== 'succeeded') throw new Error(status.error ?? `the report was ${status.state}`)
    showReport(status)
  } catch (error) {
    if (!signal.aborted) showError(error)
  } finally {
    if (!signal.aborted) button.disabled = false
  }
}

/** The report once its calls have ended. The link may be of one that has, or that nobody knows any more. */
async function finished(id, signal) {
  const path = `/reports/${encodeURIComponent(id)}`
  const status = await request(path)
  if (!['pending', 'running'].includes(status.state)) return status
  signal.throwIfAborted()
  currentId = id
  $('cancel').disabled = false
  await follow(tasksOf(id), { signal, onStatus: showProgress })
  return request(path)
}

function showError(error) {
  show('error')
  $('error').textContent = `There is no report to show: ${error.message}.`
}

async function request(url, options) {
  const response = await fetch(url, options).catch(() => {
    throw new Error('the server cannot be reached; is it still running?')
  })
  const body = await response.json().catch(() => ({}))
  if (response.ok) return body
  const error = new Error(body.error ?? `the server answered ${response.status}`)
  error.status = response.status
  throw error
}

/** Shows one of the parts below the form, and hides the others. */
function show(part) {
  for (const id of ['error', 'running', 'report']) $(id).hidden = id !== part
  $('announcement').textContent = ''
  if (part === undefined) button.disabled = false
}

function showProgress({ progress, counts }) {
  $('progress').value = progress
  $('percent').textContent = `${Math.floor(progress * 100)} %`
  const parts = Object.entries(counts).map(([state, count]) => `${count} ${state}`)
  $('counts').textContent = parts.length === 0 ? 'Asking…' : `Chunks: ${parts.join(', ')}`
}

function showReport({ id, report }) {
  const { filter, overall, byHour, byDistance, lateAfterMinutes } = report
  show('report')
  $('scope').textContent =
    `Flights of ${whole.format(filter.minDistance)} to ${whole.format(filter.maxDistance)} miles.`
  $('link').href = `/?report=${encodeURIComponent(id)}`
  for (const each of document.querySelectorAll('.late-after')) each.textContent = lateAfterMinutes
  const figures = columns.map(([, textOf], index) =>
    node('div', node('dt', longTitles[index]), node('dd', textOf(overall) + units[index])),
  )
  $('figures').replaceChildren(...figures)
  drawChart($('chart'), byHour, (share) => shown(percent, share))
  fillTable('by-hour', 'Hour', byHour, ({ hour }) => `${String(hour).padStart(2, '0')}:00`)
  fillTable('by-distance', 'Miles', byDistance, ({ from, to }) =>
    to === null ? `${whole.format(from)}+` : `${whole.format(from)}–${whole.format(to - 1)}`,
  )
  $('announcement').textContent = `The report is ready: ${whole.format(overall.flights)} flights.`
}

function fillTable(id, firstTitle, rows, labelOf) {
  const titles = [firstTitle, ...columns.map(([title]) => title)]
  $(`${id}-head`).replaceChildren(node('tr', ...titles.map((title) => scoped(node('th', title), 'col'))))
  const lines = rows.map((row) => {
    const cells = columns.map(([, textOf]) => node('td', textOf(row)))
    return node('tr', scoped(node('th', labelOf(row)), 'row'), ...cells)
  })
  $(id).replaceChildren(...lines)
}

function scoped(cell, scope) {
  cell.scope = scope
  return cell
}

/** An element; texts become text nodes. */
function node(name, ...children) {
  const element = document.createElement(name)
  element.append(...children)
  return element
}
