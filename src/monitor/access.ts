/**
 * Who may come in, and what they may do; what every answer says of itself to browsers; and that an action was asked for
 * by one of our own pages.
 * @module
 */
import { timingSafeEqual } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import { systemEntropy } from '../runtime/entropy.ts'
import type { ResolvedMonitorOptions } from './monitor-options.ts'

/** What handlers find on the context. */
export interface MonitorEnv {
  Variables: {
    /** What whoever asks may do. */
    grant: 'read' | 'manage'
    /** The path that the monitor is mounted at, as browsers see it. */
    base: string
    /** What a form must hold to be taken for ours. */
    formToken: string
    /** Whether pages offer to log out: they have a form then, whoever looks. */
    canLogOut: boolean
  }
}

/** The context of a monitor's request. */
export type MonitorContext = Context<MonitorEnv>

/**
 * Nothing but our own files, and nothing in the page itself. `same-origin` and not `no-referrer`: under that, browsers
 * send `Origin: null` with our own forms.
 */
const headers: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-robots-tag': 'noindex',
}

/** Puts the headers on every answer, refusals included. */
export const secureHeaders: MiddlewareHandler<MonitorEnv> = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value)
  // What is shown is of others: no cache may keep it. Static files say otherwise themselves.
  if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store')
}

/** Asks `authorize`, and refuses what it did not grant. */
export function requireGrant({ authorize }: ResolvedMonitorOptions): MiddlewareHandler<MonitorEnv> {
  return async (c, next) => {
    const grant = await authorize(c)
    if (grant instanceof Response) return grant
    if (grant !== 'read' && grant !== 'manage') throw new HTTPException(403, { message: 'not allowed' })
    c.set('grant', grant)
    await next()
  }
}

const COOKIE = 'errand-form'

/**
 * The form token: a cookie that other sites can neither read nor set, said again in each form. It is kept nowhere, so
 * that any environment of a function can check it.
 */
export const giveFormToken: MiddlewareHandler<MonitorEnv> = async (c, next) => {
  const given = getCookie(c, COOKIE)
  const isOurs = given !== undefined && /^[\w-]{32}$/.test(given)
  const token = isOurs ? given : systemEntropy.owner() + systemEntropy.owner()
  c.set('formToken', token)
  const hasForms = c.get('grant') === 'manage' || c.get('canLogOut')
  if (!isOurs && hasForms && c.req.method === 'GET') setCookie(c, COOKIE, token, cookieOptions(c))
  await next()
}

function cookieOptions(c: MonitorContext) {
  const secure = new URL(c.req.url).protocol === 'https:'
  return { path: c.get('base') || '/', httpOnly: true, sameSite: 'Strict', secure } as const
}

/** Lets an action through that `manage` was granted for, and that one of our pages asked for. */
export const requireManage: MiddlewareHandler<MonitorEnv> = async (c, next) => {
  if (c.get('grant') !== 'manage') {
    throw new HTTPException(403, { message: 'this monitor is read-only for you' })
  }
  return requireOwnPage(c, next)
}

/**
 * Lets through what one of our pages asked for: by a form with its token, or a script with the header
 * `x-errand-monitor`, which no other site can send without being asked first.
 */
export const requireOwnPage: MiddlewareHandler<MonitorEnv> = async (c, next) => {
  if (!isSameOrigin(c)) throw new HTTPException(403, { message: 'this was sent by another site' })
  const isScript = c.req.header('x-errand-monitor') !== undefined
  if (!isScript && !(await hasToken(c))) {
    throw new HTTPException(403, { message: 'the form is too old; load its page again' })
  }
  await next()
}

/** Browsers say where a request comes from; programs say nothing. */
function isSameOrigin(c: Context): boolean {
  const site = c.req.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin') return false
  const origin = c.req.header('origin')
  if (origin === undefined || site === 'same-origin') return true
  return URL.canParse(origin) && new URL(origin).host === (c.req.header('host') ?? new URL(c.req.url).host)
}

async function hasToken(c: MonitorContext): Promise<boolean> {
  const expected = getCookie(c, COOKIE)
  const { token } = await formOf(c)
  return expected !== undefined && token !== undefined && isSameSecret(token, expected)
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function isSameSecret(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The texts of a form; what is sent as JSON counts as one too. */
export async function formOf(c: Context): Promise<Readonly<Record<string, string | undefined>>> {
  const type = c.req.header('content-type') ?? ''
  if (type.startsWith('application/json')) {
    const value: unknown = await c.req.json().catch(() => undefined)
    if (typeof value !== 'object' || value === null) return Object.create(null)
    return textsOf(Object.entries(value))
  }
  if (!type.startsWith('application/x-www-form-urlencoded')) return Object.create(null)
  return textsOf([...new URLSearchParams(await c.req.text())])
}

function textsOf(entries: readonly (readonly [string, unknown])[]): Record<string, string | undefined> {
  const form = Object.create(null) as Record<string, string | undefined>
  for (const [name, value] of entries) if (typeof value === 'string') form[name] = value
  return form
}
