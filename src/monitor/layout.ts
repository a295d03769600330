/**
 * What all pages share: the frame around them, and the small parts that they are made of. Templates escape whatever is
 * put into them; nothing here is marked as raw.
 * @module
 */
import { html } from 'hono/html'
import type { CallState } from '../runtime/call/record.ts'
import { timeText, visible } from './shown-text.ts'

/** A piece of a page. */
export type Html = ReturnType<typeof html>

/** What a page knows besides its data. */
export interface Frame {
  /** The app's name. */
  readonly app: string
  /** The path that the monitor is mounted at. */
  readonly base: string
  /** Whether actions are offered. */
  readonly canManage: boolean
  /** Whether a way out is offered. */
  readonly canLogOut: boolean
  /** Whether the app has schedules. */
  readonly hasSchedules: boolean
  /** Goes into every form that acts. */
  readonly formToken: string
  readonly now: number
  /** How often an open page asks for what is new, in seconds. */
  readonly refreshSeconds: number
  /** The query of this page's address. */
  readonly query: URLSearchParams
}

/** What of a page is its own. */
export interface PageContent {
  readonly title: string
  /** Which entry of the navigation it is. */
  readonly section?: 'Overview' | 'Calls' | 'Failed' | 'Tasks' | 'Schedules'
  readonly body: Html
  /** Whether it is asked for again and again while it is open. @default false */
  readonly isLive?: boolean
}

const sections = [
  ['Overview', ''],
  ['Calls', '/calls'],
  ['Failed', '/failed'],
  ['Tasks', '/tasks'],
  ['Schedules', '/schedules'],
] as const

/** A whole page. */
export function layout(frame: Frame, { title, section, body, isLive = false }: PageContent): Html {
  const { app, base, now, refreshSeconds } = frame
  const shown = sections.filter(([name]) => frame.hasSchedules || name !== 'Schedules')
  const links = shown.map(
    ([name, path]) =>
      html`<a href="${address(frame, path)}"${name === section ? html` aria-current="page"` : ''}>${name}</a>`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${visible(title)} · ${app}</title>
<link rel="icon" href="${base}/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}/assets/uPlot.min.css">
<link rel="stylesheet" href="${base}/assets/monitor.css">
<script src="${base}/assets/uPlot.iife.min.js" defer></script>
<script src="${base}/assets/monitor.js" defer></script>
</head>
<body${isLive ? html` data-refresh-seconds="${refreshSeconds}"` : ''}>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar">
<p class="app"><a href="${address(frame, '')}">${app}</a></p>
<nav aria-label="Pages">${links}</nav>
<p class="live" id="live" role="status"></p>${frame.canLogOut ? actionForm(frame, '/log-out', 'Log out') : ''}
</header>
<main id="content" tabindex="-1">${body}</main>
<footer><p data-live="as-of">As of ${timeTag(new Date(now).toISOString(), now)} UTC. All times are UTC.</p></footer>
</body>
</html>`
}

/** A time, in full where the pointer rests on it. */
export function timeTag(iso: string, now: number): Html {
  return html`<time datetime="${iso}" title="${iso}">${timeText(iso, now)}</time>`
}

/** What else than the state of a call is shown as one. */
type OtherState = 'OK' | 'paused' | 'no answer' | 'killed' | 'not run'

/** A state as a word with a colour, never as a colour alone. */
export function stateTag(state: CallState | OtherState): Html {
  return html`<span class="state state-${state.replace(' ', '-')}">${state}</span>`
}

/** What is empty, or could not be read: a sentence, and what to do. */
export function note(text: string | Html, kind: 'empty' | 'error' = 'empty'): Html {
  const role = kind === 'error' ? html` role="alert"` : ''
  return html`<p class="note note-${kind}"${role}>${text}</p>`
}

/** A number with its name, above the fold. */
export function tile(
  label: string,
  value: string,
  options: { href?: string; isAlarming?: boolean } = {},
): Html {
  const { href, isAlarming } = options
  const number = html`<span class="value">${value}</span>`
  return html`<div class="tile${isAlarming ? ' alarming' : ''}"><dt>${label}</dt><dd>${href === undefined ? number : html`<a href="${href}">${number}</a>`}</dd></div>`
}

/** A link to a page of the monitor, the overview's path being empty; its query is made of what is not. */
export function address(
  frame: Pick<Frame, 'base'>,
  path: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]))
  const text = new URLSearchParams(given).toString()
  return `${frame.base + path || '/'}${text === '' ? '' : `?${text}`}`
}

/** Where a call's page is. */
export function callAddress(frame: Pick<Frame, 'base'>, id: string): string {
  return address(frame, `/calls/${encodeURIComponent(id)}`)
}

/** Names and ids: as a text of its own, so that its direction of writing does not reach what is beside it. */
export function name(text: string, length = 120): Html {
  return html`<bdi title="${visible(text)}">${visible(text, length)}</bdi>`
}

/** Ids made by `submit` are alike at their begin and long: both ends, and all of it where the pointer rests on it. */
export function shortId(id: string): Html {
  const isLong = id.length > 20
  return html`<bdi title="${visible(id)}">${visible(isLong ? `${id.slice(0, 8)}…${id.slice(-6)}` : id)}</bdi>`
}

/** A form that acts: one button, and what it sends. */
export function actionForm(
  frame: Frame,
  path: string,
  label: string,
  options: { fields?: Html; isDangerous?: boolean } = {},
): Html {
  const { fields = '', isDangerous = false } = options
  return html`<form class="action" method="post" action="${frame.base}${path}"><input type="hidden" name="token" value="${frame.formToken}">${fields}<button${isDangerous ? html` class="danger"` : ''}>${label}</button></form>`
}

/** Links of which one is the chosen one. */
export function choice(
  label: string,
  options: readonly { readonly text: string; readonly href: string; readonly isChosen: boolean }[],
): Html {
  const links = options.map(
    ({ text, href, isChosen }) =>
      html`<a href="${href}"${isChosen ? html` aria-current="true"` : ''}>${text}</a>`,
  )
  return html`<nav class="choice" aria-label="${label}">${links}</nav>`
}
