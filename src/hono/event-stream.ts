/**
 * Server-sent events within bounds: a heartbeat, an end, and a reader who is slow or gone costs no memory and no timer.
 * @module
 */
import { hash } from 'node:crypto'
import type { Clock, Timer } from '../runtime/clock.ts'

/** Proxies give up on a connection without a word after 30 to 60 s. */
const HEARTBEAT_MS = 15_000
/** How long the client waits before it connects again. */
const RETRY_MS = 1000

/** Where the statuses come from: shows each, and resolves when there will be no more. */
export type Watch = (show: (text: string) => void, signal: AbortSignal) => Promise<void>

/** What a stream needs. */
export interface EventStreamOptions {
  readonly clock: Clock
  /** When to end it, in milliseconds from now; 0 sends `first` and ends. */
  readonly maxMs: number
  /** The status now. */
  readonly first: string
  /** Brings those that follow. */
  readonly watch: Watch
  /** The id of what the client has seen: it is not sent again. */
  readonly seen: string | undefined
  /** Called once, however it ends. */
  readonly onEnd: (error?: Error) => void
}

interface Stream extends EventStreamOptions {
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  /** Aborted when it is over. */
  readonly over: AbortController
  readonly timers: Timer[]
  /** The newest status that is not sent yet: a slow reader skips those between. */
  waiting: string | undefined
  sentId: string | undefined
}

/** By what a client says that it has seen a status. */
export function eventIdOf(status: string): string {
  return hash('sha256', status, 'base64url').slice(0, 22)
}

/** The body of an answer of type `text/event-stream`. */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  let stream: Stream
  return new ReadableStream<Uint8Array>({
    start(controller) {
      stream = {
        ...options,
        controller,
        over: new AbortController(),
        timers: [],
        waiting: undefined,
        sentId: options.seen,
      }
      begin(stream)
    },
    pull: () => {
      if (stream.waiting !== undefined) send(stream)
    },
    cancel: () => finish(stream),
  })
}

function begin(stream: Stream): void {
  const { clock, maxMs, first, watch, over } = stream
  // A first word at once, so that whoever reads knows that nothing on the way holds it back.
  write(stream, `retry: ${RETRY_MS}\n\n`)
  stream.waiting = first
  send(stream)
  if (maxMs <= 0) {
    end(stream)
    return
  }
  stream.timers[0] = clock.setTimer(() => end(stream), maxMs, { background: true })
  beat(stream)
  const show = (status: string) => {
    stream.waiting = status
    if (hasRoom(stream)) send(stream)
  }
  watch(show, over.signal).then(
    () => end(stream),
    (error: unknown) => end(stream, error instanceof Error ? error : new Error(String(error))),
  )
}

function beat(stream: Stream): void {
  const next = () => {
    // To a reader who does not read, a word more is only memory.
    if (hasRoom(stream)) write(stream, ':\n\n')
    beat(stream)
  }
  stream.timers[1] = stream.clock.setTimer(next, HEARTBEAT_MS, { background: true })
}

function hasRoom({ controller, over }: Stream): boolean {
  return !over.signal.aborted && (controller.desiredSize ?? 0) > 0
}

function write({ controller }: Stream, text: string): void {
  controller.enqueue(Buffer.from(text))
}

function send(stream: Stream): void {
  const { waiting } = stream
  stream.waiting = undefined
  if (waiting === undefined) return
  const id = eventIdOf(waiting)
  if (id === stream.sentId) return
  stream.sentId = id
  write(stream, `id: ${id}\ndata: ${waiting}\n\n`)
}

function end(stream: Stream, error?: Error): void {
  if (stream.over.signal.aborted) return
  send(stream)
  stream.controller.close()
  finish(stream, error)
}

/** Stops all work for it. */
function finish(stream: Stream, error?: Error): void {
  if (stream.over.signal.aborted) return
  stream.over.abort()
  for (const timer of stream.timers) timer?.cancel()
  stream.onEnd(error)
}
