/**
 * Follows a call or a group from a page: by server-sent events, taken up again where the connection drops, and by
 * polling where they do not come through.
 *
 * `fetch` and not `EventSource`: it sends headers, tells a refusal from a lost connection, and can be given up.
 * @module
 */
import type { CallStatus, GroupStatus } from './call-status.ts'
import { pause } from './pause.ts'

/** How to follow. */
export interface FollowOptions<Status> {
  /** Told of each status that differs from the one before, the final one included. */
  readonly onStatus?: (status: Status) => void
  /** Gives up; the promise rejects with its reason. The call goes on. */
  readonly signal?: AbortSignal
  /** Sent with each request, as an `Authorization`. Cookies of the same site go along without. */
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds between polls, and before the first new try of a lost connection. @default 1000 */
  readonly pollMs?: number
}

/**
 * The server refused: it does not know the call, or does not let this caller see it. Or something else than the task
 * routes answered, as a page to log in at: then `status` may be 200.
 */
export class FollowError extends Error {
  /** The status of its answer. */
  readonly status: number

  constructor(status: number) {
    super(`the server answered ${status}`)
    this.status = status
  }
}

interface Source {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
  /** What the server was last seen to say, so that it need not say it again. */
  eventId: string
  delayMs: number
  /** Tries that brought no answer, in a row. */
  lost: number
}

/** Lost connections in a row before it polls. */
const TRIES = 3
const LONGEST_DELAY_MS = 30_000
/** The server says something every 15 s. */
const SILENCE_MS = 30_000
/** Its first word comes at once, unless something on the way holds it back. */
const FIRST_SILENCE_MS = 10_000

/**
 * Follows what is at `url` (`…/calls/<id>` or `…/groups/<id>` of the task routes) until it has ended. Lost connections
 * and servers in trouble are tried again without limit: `signal` ends it.
 *
 * @example
 * const status = await follow(`/tasks/calls/${id}`, { onStatus: ({ progress }) => show(progress) })
 * @throws FollowError where the server refuses; the signal's reason; what `onStatus` throws
 */
export async function follow<Status extends { readonly state: string } = CallStatus | GroupStatus>(
  url: string,
  { onStatus, signal, headers = {}, pollMs = 1000 }: FollowOptions<Status> = {},
): Promise<Status> {
  const source: Source = { url, headers, signal, eventId: '', delayMs: pollMs, lost: 0 }
  let polls = false
  let shown = ''
  signal?.throwIfAborted()
  for (;;) {
    for await (const text of polls ? polled(source) : streamed(source)) {
      const status = JSON.parse(text) as Status
      if (text !== shown) onStatus?.(status)
      shown = text
      if (/^(succeeded|failed|cancelled)$/.test(status.state)) return status
    }
    polls ||= source.lost >= TRIES
    await pause(Math.min(source.delayMs * 2 ** source.lost, LONGEST_DELAY_MS), signal)
    signal?.throwIfAborted()
  }
}

/**
 * Follows it, and then asks how it ended: a `CallResult`, or of a group a `GroupResult`.
 *
 * @example
 * const ending = await resultOf<CallResult<Invoice>>(`/tasks/calls/${id}`)
 * @throws what `follow` throws
 */
export async function resultOf<Result, Status extends { readonly state: string } = CallStatus | GroupStatus>(
  url: string,
  options: FollowOptions<Status> = {},
): Promise<Result> {
  await follow(url, options)
  const { headers = {}, signal, pollMs = 1000 } = options
  const source: Source = { url: `${url}/result`, headers, signal, eventId: '', delayMs: pollMs, lost: 0 }
  for (;;) {
    for await (const text of polled(source)) return JSON.parse(text) as Result
    await pause(Math.min(pollMs * 2 ** source.lost, LONGEST_DELAY_MS), signal)
    signal?.throwIfAborted()
  }
}

/** An answer to read, or nothing where it is worth another try. */
async function ask(
  source: Source,
  path: string,
  headers: Record<string, string>,
  signal = source.signal,
): Promise<Response | undefined> {
  const options: RequestInit = { headers: { ...source.headers, ...headers }, cache: 'no-store' }
  if (signal !== undefined) options.signal = signal
  const response = await fetch(source.url + path, options)
  if (response.ok) return response
  const { status } = response
  // Somebody who asks too often, or a server in trouble, may ask again.
  if (status < 500 && status !== 408 && status !== 429) throw new FollowError(status)
  return undefined
}

function isOf({ headers }: Response, type: string): boolean {
  return headers.get('content-type')?.startsWith(type) ?? false
}

/** Whatever a connection may end with is worth another try, but for a refusal and a caller who gave up. */
function throwUnlessLost(error: unknown, { signal }: Source): void {
  signal?.throwIfAborted()
  if (error instanceof FollowError) throw error
}

async function* polled(source: Source): AsyncGenerator<string, void> {
  let text: string | undefined
  source.lost += 1
  try {
    const response = await ask(source, '', {})
    // A page to log in at, say: no further try brings another.
    if (response && !isOf(response, 'application/json')) throw new FollowError(response.status)
    text = await response?.text()
  } catch (error) {
    throwUnlessLost(error, source)
  }
  if (text === undefined) return
  source.lost = 0
  yield text
}

async function* streamed(source: Source): AsyncGenerator<string, void> {
  const connection = new AbortController()
  const end = () => connection.abort()
  source.signal?.addEventListener('abort', end)
  source.lost += 1
  try {
    const headers = {
      accept: 'text/event-stream',
      ...(source.eventId && { 'last-event-id': source.eventId }),
    }
    const response = await within(
      FIRST_SILENCE_MS,
      connection,
      ask(source, '/events', headers, connection.signal),
    )
    // Nothing but its end is new.
    if (response?.status === 204) yield* polled(source)
    else if (response?.body && isOf(response, 'text/event-stream'))
      yield* eventsOf(response.body, source, connection)
  } catch (error) {
    throwUnlessLost(error, source)
  } finally {
    source.signal?.removeEventListener('abort', end)
    end()
  }
}

/** The data of each event of a stream. */
async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  source: Source,
  connection: AbortController,
): AsyncGenerator<string, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (let silence = FIRST_SILENCE_MS; ; silence = SILENCE_MS) {
    const { done, value } = await within(silence, connection, reader.read())
    if (done) return
    source.lost = 0
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
      source.eventId = field('id') ?? source.eventId
      source.delayMs = Number(field('retry') ?? source.delayMs)
      const data = field('data')
      if (data !== undefined) yield data
    }
  }
}

/** What `promise` gives; silence for `ms` counts as a lost connection. */
async function within<T>(ms: number, connection: AbortController, promise: Promise<T>): Promise<T> {
  const over = new AbortController()
  const silence = pause(ms, over.signal).then(() => {
    if (!over.signal.aborted) connection.abort()
  })
  try {
    return await promise
  } finally {
    over.abort()
    await silence
  }
}
