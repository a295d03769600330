/**
 * The context of a trace in a call's headers, in the form of W3C Trace Context (https://www.w3.org/TR/trace-context/),
 * whichever propagator the process has: sender and worker need not agree on one. Baggage does not travel: it has no
 * bound, and people put personal data there.
 * @module
 */
import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api'

const PARENT = 'traceparent'
const STATE = 'tracestate'

/** What the recommendation has receivers take at least; a longer state is left out, as it allows. */
const STATE_LENGTH = 512

const version0 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Writes the context of a span into a call's headers; nothing where no SDK made the span. */
export function writeTraceContext(headers: Record<string, string>, span: SpanContext): void {
  if (!isSpanContextValid(span)) return
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, '0')
  headers[PARENT] = `00-${span.traceId}-${span.spanId}-${flags}`
  const state = span.traceState?.serialize() ?? ''
  if (state !== '' && state.length <= STATE_LENGTH) headers[STATE] = state
}

/** Reads it; `undefined` where there is none, or none that is valid. */
export function readTraceContext(headers: Readonly<Record<string, string>>): SpanContext | undefined {
  const parts = version0.exec(headers[PARENT] ?? '')
  if (parts === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = parts
  const state = headers[STATE]
  const span: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(state !== undefined && { traceState: createTraceState(state) }),
  }
  return isSpanContextValid(span) ? span : undefined
}
