import { createTraceState, type SpanContext } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { readTraceContext, writeTraceContext } from '../../src/otel/trace-context.ts'

const span: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
}
const written = (context: SpanContext) => {
  const headers: Record<string, string> = {}
  writeTraceContext(headers, context)
  return headers
}

describe('the context of a trace', () => {
  test('is written as W3C says, and read again', () => {
    const traceState = createTraceState('vendor=1,other=2')
    const headers = written({ ...span, traceState })
    expect(headers).toEqual({
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'vendor=1,other=2',
    })
    const read = readTraceContext(headers)
    expect(read).toMatchObject({ ...span, isRemote: true })
    expect(read?.traceState?.serialize()).toBe('vendor=1,other=2')
    expect(readTraceContext(written({ ...span, traceFlags: 0 }))?.traceFlags).toBe(0)
  })

  test('that is none is not written', () => {
    expect(written({ ...span, traceId: '0'.repeat(32) })).toEqual({})
  })

  test('leaves a state out that is longer than receivers take', () => {
    const traceState = createTraceState(
      Array.from({ length: 6 }, (_, index) => `k${index}=${'v'.repeat(90)}`).join(','),
    )
    expect(Object.keys(written({ ...span, traceState }))).toEqual(['traceparent'])
  })

  test.each([
    {},
    { traceparent: '' },
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331' },
    { traceparent: '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    { traceparent: '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01' },
    { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` },
    { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01` },
  ])('%j is none', (headers) => expect(readTraceContext(headers)).toBeUndefined())
})
