/**
 * A monitor on a port of this machine, for the command line: whoever has the printed address is let in, and nobody else.
 *
 * Any page in a browser can send requests to 127.0.0.1, and with a name of its own that it points there (DNS rebinding)
 * read the answers. So the address holds a token, which is exchanged for a cookie that only our own pages send, and a
 * request by another host's name is refused.
 * @module
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { checkFlag, checkKeys, checkName, checkNumber, checkTexts } from '../runtime/config/option-checks.ts'
import { systemEntropy } from '../runtime/entropy.ts'
import { ErrandError, NotWiredError } from '../runtime/errors.ts'
import { isSameSecret } from './access.ts'
import { createMonitor } from './monitor.ts'
import type { MonitorOptions } from './monitor-options.ts'
import type { MonitoredExecutor } from './sources.ts'

/** Where a monitor listens, and what it lets do. */
export interface StartMonitorOptions extends Omit<MonitorOptions, 'authorize' | 'basePath'> {
  /** 0 takes any free one. @default 5555 */
  readonly port?: number
  /** The address to listen at. @default '127.0.0.1' */
  readonly host?: string
  /** Whether it offers actions. @default false: it is read-only */
  readonly manage?: boolean
  /** Names that it may be asked by beside `host`, localhost and loopback addresses. @default none */
  readonly allowedHosts?: readonly string[]
}

/** A monitor that listens. */
export interface RunningMonitor {
  /** The address to open, its token included. */
  readonly url: string
  /** The same without the token: what may be logged. */
  readonly origin: string
  readonly port: number
  /** Stops listening; the executor stays open. */
  close(): Promise<void>
}

const own = ['port', 'host', 'manage', 'allowedHosts'] as const

/**
 * Starts a monitor. It needs the optional peer `@hono/node-server`.
 * @throws InvalidOptionError; NotWiredError where `@hono/node-server` is not installed; ErrandError where the port is taken
 */
export async function startMonitor(
  executor: MonitoredExecutor,
  options: StartMonitorOptions = {},
): Promise<RunningMonitor> {
  const { port, host, manage, allowedHosts, rest } = checkOptions(options)
  const token = secret()
  const session = secret()
  const names = new Set([host, 'localhost', '127.0.0.1', '[::1]', '::1', ...allowedHosts])
  const gate = new Hono()
  let cookie = 'errand-monitor'
  gate.use(async (c, next) => {
    if (!names.has(hostOf(c.req.header('host')))) {
      return c.text('This monitor is not asked by that name; give it in `allowedHosts`.', 421)
    }
    return next()
  })
  gate.use(async (c, next) => {
    const given = c.req.query('token')
    if (given === undefined || c.req.method !== 'GET') return next()
    if (!isSameSecret(given, token))
      return c.text('That token is not of this monitor, or of an earlier run.', 401)
    setCookie(c, cookie, session, cookieOptions)
    return c.redirect(c.req.path, 303)
  })
  const authorize = (c: Context) => {
    const given = getCookie(c, cookie)
    if (given === undefined || !isSameSecret(given, session)) {
      return c.text('Open the address that was printed when this monitor started: it holds a token.', 401)
    }
    return manage ? 'manage' : 'read'
  }
  const logIn = { leadsTo: '/', end: (c: Context) => void deleteCookie(c, cookie, cookieOptions) }
  const app = createMonitor(executor, { ...rest, authorize }, logIn)
  gate.route('/', app)
  const server = await listen(gate.fetch, host, port)
  const { port: taken } = server.address() as AddressInfo
  // Cookies are of a host, whatever the port: two monitors must not log each other out.
  cookie = `errand-monitor-${taken}`
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`
  return { url: `${origin}/?token=${token}`, origin, port: taken, close: () => closed(server) }
}

function checkOptions(options: StartMonitorOptions) {
  checkKeys('the options of startMonitor', options, [
    ...own,
    'payloads',
    'redact',
    'logs',
    'refreshSeconds',
    'lookAt',
  ])
  const { port, host, manage, allowedHosts, ...rest } = options
  const rule = { min: 0, max: 65_535, whole: true }
  const form = /^[\w.:-]{1,255}$/
  return {
    port: checkNumber('`port` of startMonitor', port, rule, 5555),
    host: checkName('`host` of startMonitor', host ?? '127.0.0.1', form, 'an address such as 127.0.0.1'),
    manage: checkFlag('`manage` of startMonitor', manage, false),
    allowedHosts: checkTexts('`allowedHosts` of startMonitor', allowedHosts ?? []),
    rest,
  }
}

const cookieOptions = { path: '/', httpOnly: true, sameSite: 'Strict' } as const

/** 192 bits: nobody guesses it, however often. */
function secret(): string {
  return systemEntropy.owner() + systemEntropy.owner()
}

/** The name in a `Host` header, without its port. */
function hostOf(header: string | undefined): string {
  return (header ?? '').toLowerCase().replace(/:\d+$/, '')
}

async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<Server> {
  const { createAdaptorServer } = await import('@hono/node-server').catch((cause: unknown) => {
    throw new NotWiredError('a monitor on a port needs `@hono/node-server`; npm i @hono/node-server', {
      cause,
    })
  })
  const server = createAdaptorServer({ fetch, hostname: host, overrideGlobalObjects: false }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'something else listens there; give another `port`, or 0'
          : cause.message
      reject(new ErrandError(`the monitor cannot listen at ${host}:${port}: ${why}`, { cause }))
    })
    server.listen(port, host, resolve)
  })
  return server
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
