/**
 * OpenTelemetry's SDK in memory, for tests: the spans that ended, in that order.
 * @module
 */
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/** What is recorded, and by whom. */
export interface RecordedSpans {
  readonly tracerProvider: BasicTracerProvider
  /** Those that ended, oldest first; those of one name where it is given. */
  ended(name?: string): readonly ReadableSpan[]
  /** Forgets them, and the context manager. */
  close(): void
}

/** Begins to record, with a context that follows async calls. */
export function recordSpans(): RecordedSpans {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  return {
    tracerProvider,
    ended: (name) => exporter.getFinishedSpans().filter((span) => name === undefined || span.name === name),
    close() {
      exporter.reset()
      context.disable()
    },
  }
}
