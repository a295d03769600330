import { afterEach, expect, test, vi } from 'vitest'
import { createLog } from '../../src/runtime/log.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

test('an entry is one line of JSON, with no character that a terminal obeys (S-08)', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const hostile = '\u0000\u001b[31m\n\u009b31mEVIL\u202e\u2028\u2066'
  createLog('info', { app: 'shop' }, { now: () => 0 })('warn', hostile, {
    error: new Error(hostile),
    id: hostile,
  })
  const line = String(write.mock.calls[0]?.[0])
  expect(line).toMatch(/^[ -~]*\n$/)
  const timestamp = '1970-01-01T00:00:00.000Z'
  const entry = {
    timestamp,
    level: 'warn',
    message: hostile,
    app: 'shop',
    error: `Error: ${hostile}`,
    id: hostile,
  }
  expect(JSON.parse(line)).toEqual(entry)
})
