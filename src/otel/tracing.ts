/**
 * Traces of calls: a producer span around each submit, a consumer span around each attempt, linked by the context that
 * the call's headers carry. Names and attributes are those of OpenTelemetry's conventions for messaging
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/, in development when this was written), with
 * the queue as destination and the call as message. No arguments, no results.
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { showValue } from '../runtime/config/nearest-name.ts'
import { checkKeys } from '../runtime/config/option-checks.ts'
import { InvalidOptionError, TaskTimeoutError } from '../runtime/errors.ts'
import type { Middleware, RunningCall, SubmittedCall } from '../runtime/middleware.ts'
import { PACKAGE_VERSION } from '../runtime/package-version.ts'
import { readTraceContext, writeTraceContext } from './trace-context.ts'

/** How calls are traced. */
export interface TracingOptions {
  /**
   * Whose child an attempt's span is: of the span that is `active` in the worker, such as that of the invocation, and where
   * there is none, of the submitter's; or of the `submitter`'s in any case, so that a trace is whole. It is linked to
   * the other. @default 'active', as the conventions recommend
   */
  readonly parent?: 'active' | 'submitter'
  /** Who makes the spans. @default the provider that is registered globally, when they are made */
  readonly tracerProvider?: TracerProvider
}

/**
 * The middleware that traces: `executor.use(tracing())`, in the worker and where calls are submitted. It goes first, so
 * that what other middleware does is in its spans. Without an SDK it costs next to nothing and does nothing.
 * @throws InvalidOptionError
 */
export function tracing(options: TracingOptions = {}): Middleware {
  const { parent = 'active', tracerProvider = trace } = checkKeys('the options of tracing', options, [
    'parent',
    'tracerProvider',
  ]) as TracingOptions
  if (parent !== 'active' && parent !== 'submitter') {
    throw new InvalidOptionError(
      `\`parent\` of tracing is ${showValue(parent)}, expected 'active' or 'submitter'`,
    )
  }
  const tracer = tracerProvider.getTracer('errand', PACKAGE_VERSION)
  return {
    submit: (call, next) => {
      const attributes = attributesOf(call, 'submit', 'send')
      const span = tracer.startSpan(`submit ${call.queue}`, { kind: SpanKind.PRODUCER, attributes })
      writeTraceContext(call.headers, span.spanContext())
      return within(span, trace.setSpan(context.active(), span), next)
    },
    run: (call, next) => {
      const [span, active] = startAttempt(tracer, call, parent)
      endAtLimit(span, call.signal)
      return within(span, active, next)
    },
  }
}

function attributesOf(
  { id, task, queue }: SubmittedCall | RunningCall,
  name: 'submit' | 'run',
  type: 'send' | 'process',
): Attributes {
  return {
    'messaging.system': 'errand',
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.destination.name': queue,
    'messaging.message.id': id,
    'errand.task': task,
  }
}

/** The span of an attempt, and the context in which it runs. */
function startAttempt(
  tracer: Tracer,
  call: RunningCall,
  wanted: NonNullable<TracingOptions['parent']>,
): readonly [Span, Context] {
  const ambient = context.active()
  const active = trace.getSpanContext(ambient)
  const submitter = readTraceContext(call.headers)
  const isSubmitters = submitter !== undefined && (wanted === 'submitter' || active === undefined)
  const links: Link[] = submitter === undefined ? [] : [{ context: submitter }]
  if (isSubmitters && active !== undefined) links.push({ context: active })
  const attributes = { ...attributesOf(call, 'run', 'process'), 'errand.attempt': call.attempt }
  const span = tracer.startSpan(
    `run ${call.queue}`,
    { kind: SpanKind.CONSUMER, attributes, links },
    isSubmitters ? trace.setSpanContext(ambient, submitter) : ambient,
  )
  return [span, trace.setSpan(ambient, span)]
}

async function within(span: Span, active: Context, next: () => Promise<void>): Promise<void> {
  try {
    await context.with(active, next)
  } catch (error) {
    fail(span, error)
    throw error
  } finally {
    // It has ended where the attempt's limit ended it.
    if (span.isRecording()) span.end()
  }
}

/** An attempt that reached its limit is over, and its function, which may never return, cannot end its span. */
function endAtLimit(span: Span, signal: AbortSignal): void {
  const onAbort = () => {
    if (!TaskTimeoutError.is(signal.reason)) return
    fail(span, signal.reason)
    span.end()
  }
  signal.addEventListener('abort', onAbort, { once: true })
}

/** What is thrown and is no error may be anything, an argument too: it is not shown. */
function fail(span: Span, thrown: unknown): void {
  if (!span.isRecording()) return
  const error = thrown instanceof Error ? thrown : { name: '_OTHER', message: 'what was thrown is no error' }
  span.setAttribute('error.type', error.name)
  span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
}
