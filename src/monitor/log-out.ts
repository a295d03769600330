/**
 * The way out of a monitor that lets people in itself: by a token that is exchanged for a cookie. Where an app's own
 * `authorize` lets them in, so does the app let them out.
 * @module
 */
import type { Context, Hono } from 'hono'
import { type MonitorEnv, requireOwnPage } from './access.ts'
import { wantsJson } from './answer.ts'

/** What let somebody in. */
export interface LogIn {
  /** Takes their cookie back. */
  end(c: Context): void
  /** The path where they go on. */
  readonly leadsTo: string
}

const PATH = '/log-out'

/** Whether a page asks to be let out. */
export function isLogOut(c: Context): boolean {
  return c.req.method === 'POST' && c.req.path === PATH && !wantsJson(c)
}

/** Adds it: whoever may read may leave, and no other site can have them leave. */
export function addLogOut(app: Hono<MonitorEnv>, { end, leadsTo }: LogIn): void {
  app.post(PATH, requireOwnPage, (c) => {
    end(c)
    return wantsJson(c) ? c.json({ loggedOut: true }) : c.redirect(leadsTo, 303)
  })
}
