/**
 * Access by one token that is kept as a secret: programs send it as a bearer, people type it once and get a cookie for
 * it. Nothing is kept here, so that every environment of a function can check what another gave.
 * @module
 */
import { createHmac } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import type { Clock } from '../runtime/clock.ts'
import { NotWiredError } from '../runtime/errors.ts'
import { formOf, isSameSecret, type MonitorEnv, secureHeaders } from './access.ts'
import { wantsJson } from './answer.ts'
import { shared } from './cached.ts'
import { type Html, note } from './layout.ts'
import { isLogOut, type LogIn } from './log-out.ts'
import type { Authorize, Grant } from './monitor-options.ts'
import { staticFile } from './static-files.ts'

/** What is put in front of a monitor. */
export interface TokenAccess {
  /** The page to log in at, which anybody may open. */
  readonly routes: Hono<MonitorEnv>
  readonly authorize: Authorize
  /** What its cookie is ended by. */
  readonly logIn: LogIn
}

/** What access is made of. */
export interface TokenAccessOptions {
  /** The app's name, for the page. */
  readonly app: string
  /** What whoever knows the token may do. */
  readonly grant: Exclude<Grant, false>
  /** Reads the token. */
  readonly readToken: () => Promise<string>
  readonly clock: Clock
}

const COOKIE = 'errand-monitor'

/** How long a log-in lasts: a working day. */
const SESSION_MS = 12 * 3_600_000

/** How old the token may be that was read: so long a new one takes to count everywhere. */
const TOKEN_AGE_MS = 5 * 60_000

/** How long a failure to read it counts: no longer than nobody can log in, and long enough that attempts cost nothing. */
const FAILURE_AGE_MS = 10_000

/**
 * What nobody guesses, though nothing counts guesses: Secrets Manager makes so many characters, and of hexadecimal digits
 * they are 128 bits.
 */
const MIN_TOKEN_LENGTH = 32

/** Not `Strict`: a link to a call that somebody was sent should open, and whatever acts is guarded by its form's token. */
const cookieOptions = { httpOnly: true, secure: true, sameSite: 'Lax', path: '/', prefix: 'host' } as const

const FORM_BYTES = 4096

/** Makes the access of one monitor. */
export function tokenAccess({ app, grant, readToken, clock }: TokenAccessOptions): TokenAccess {
  const current = tokenReader(readToken, clock)
  const routes = new Hono<MonitorEnv>()
  routes.use('/log-in', secureHeaders)
  // The log-in page's own; nothing of an app is in it.
  routes.get('/assets/monitor.css', secureHeaders, (c) => {
    const { body, type } = staticFile('monitor.css') ?? { body: '', type: 'text/css' }
    return c.body(body, 200, { 'content-type': type, 'cache-control': 'private, max-age=300' })
  })
  routes.get('/log-in', (c) => c.html(logInPage(app, placeOf(c.req.query('to')))))
  routes.post(
    '/log-in',
    bodyLimit({ maxSize: FORM_BYTES, onError: (c) => c.text('Too long.', 413) }),
    async (c) => {
      const { token: typed = '', to } = await formOf(c)
      const expected = await current().catch(reportFailure)
      if (expected === undefined)
        return c.html(
          logInPage(app, placeOf(to), 'The token cannot be checked now: the log of this function says why.'),
          503,
        )
      if (!isSameSecret(typed.trim(), expected))
        return c.html(logInPage(app, placeOf(to), 'That is not the token.'), 401)
      const until = clock.now() + SESSION_MS
      setCookie(c, COOKIE, sessionOf(expected, until), { ...cookieOptions, maxAge: SESSION_MS / 1000 })
      return c.redirect(placeOf(to), 303)
    },
  )
  const authorize = async (c: Context) => {
    const given = bearerOf(c)
    const session = getCookie(c, COOKIE, 'host')
    const expected = given === undefined && session === undefined ? undefined : await current()
    if (expected !== undefined) {
      if (given !== undefined && isSameSecret(given, expected)) return grant
      if (session !== undefined && isSession(session, expected, clock.now())) return grant
    }
    if (c.req.method === 'GET' && !wantsJson(c) && given === undefined) {
      const { pathname, search } = new URL(c.req.url)
      return c.redirect(`/log-in?${new URLSearchParams({ to: pathname + search })}`, 303)
    }
    // Nothing is left to log out of.
    if (isLogOut(c)) return c.redirect(logIn.leadsTo, 303)
    return c.text('Not logged in.', 401, { 'www-authenticate': 'Bearer' })
  }
  const logIn = { leadsTo: '/log-in', end: (c: Context) => void deleteCookie(c, COOKIE, cookieOptions) }
  return { routes, authorize, logIn }
}

/** Gives the token as it was lately, or throws why it cannot be read. */
function tokenReader(readToken: () => Promise<string>, clock: Clock): () => Promise<string> {
  // Without the line's end that files and terminals leave: it cannot be sent as a bearer, nor typed in.
  const token = shared(async () => checkToken((await readToken()).trim()))
  let hasFailed = false
  return async () => {
    try {
      const { value } = await token.get(clock.now(), hasFailed ? FAILURE_AGE_MS : TOKEN_AGE_MS)
      hasFailed = false
      return value
    } catch (error) {
      hasFailed = true
      throw error
    }
  }
}

/** For the function's log: whoever asks is told nothing. */
function reportFailure(error: unknown): undefined {
  console.error(error)
}

/** @throws NotWiredError */
function checkToken(text: string): string {
  if (text.length >= MIN_TOKEN_LENGTH) return text
  throw new NotWiredError(
    `the monitor's secret has ${text.length} characters, expected its text to be a token of ${MIN_TOKEN_LENGTH} or more, for nothing but its length keeps it from being guessed; let Secrets Manager make one`,
  )
}

function bearerOf(c: Context): string | undefined {
  return /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
}

/** A log-in, which ends at a time, and with the token that it was made by. */
function sessionOf(token: string, until: number): string {
  const mac = createHmac('sha256', token).update(`errand-monitor ${until}`).digest('base64url')
  return `${until}.${mac}`
}

function isSession(given: string, token: string, now: number): boolean {
  const until = Number(/^(\d{1,15})\./.exec(given)?.[1] ?? 0)
  return until > now && isSameSecret(given, sessionOf(token, until))
}

/** Where to go on: a place of this site, whatever was asked for. */
function placeOf(to: string | undefined): string {
  return to !== undefined && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(to) ? to : '/'
}

function logInPage(app: string, to: string, problem?: string): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · ${app}</title>
<link rel="stylesheet" href="/assets/monitor.css">
</head>
<body>
<header class="bar"><p class="app">${app}</p></header>
<main id="content"><h1>Log in</h1>
${problem === undefined ? '' : note(problem, 'error')}
<form class="action" method="post" action="/log-in"><input type="hidden" name="to" value="${to}">
<label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Log in</button></form></main>
</body>
</html>`
}
