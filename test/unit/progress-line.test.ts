import { describe, expect, test } from 'vitest'
import { progressLine } from '../../src/cli/output/progress-line.ts'
import { shareOf } from '../../src/runtime/future/progress-share.ts'

describe('the part that is done', () => {
  const cycle: Record<string, unknown> = { state: 'PROGRESS' }
  cycle.meta = cycle

  test.each([
    [0, 0],
    [0.25, 0.25],
    [1, 1],
    [{ done: 3, total: 4 }, 0.75],
    [{ current: 3, total: 4 }, 0.75],
    [{ done: 9, total: 4 }, 1],
    [{ done: -1, total: 4 }, 0],
    [{ state: 'PROGRESS', meta: { done: 1, total: 4 } }, 0.25],
    [{ state: 'PROGRESS', meta: 0.5 }, 0.5],
  ])('%j is %d', (progress, share) => {
    expect(shareOf(progress)).toBe(share)
  })

  test.each([
    [undefined],
    [null],
    [50],
    [-0.1],
    [Number.NaN],
    ['half'],
    [{ done: 1 }],
    [{ done: 1, total: 0 }],
    [{ done: '1', total: 2 }],
    [{ done: Number.NaN, total: 2 }],
    [{ done: Number.POSITIVE_INFINITY, total: Number.POSITIVE_INFINITY }],
    [Object.create({ done: 1, total: 2 })],
    [{ state: 'PROGRESS', done: 1, total: 2 }],
    [cycle],
  ])('%j says nothing', (progress) => {
    expect(shareOf(progress)).toBeUndefined()
  })
})

describe('the line of a call', () => {
  const running = { state: 'running', attempts: 1, progress: { done: 1, total: 2 } } as const

  test('has a bar where its task says how far it is', () => {
    expect(progressLine(running, 80)).toBe(`${'█'.repeat(15)}${'░'.repeat(15)}  50 % running`)
    expect(progressLine({ ...running, progress: 1 }, 80)).toBe(`${'█'.repeat(30)} 100 % running`)
    expect(progressLine({ ...running, attempts: 2, progress: undefined }, 80)).toBe('running, attempt 2')
  })

  test('has none of an attempt that has ended', () => {
    expect(progressLine({ ...running, state: 'retrying', attempts: 2 }, 80)).toBe('retrying, attempt 2')
    expect(progressLine({ ...running, state: 'pending', attempts: 0 }, 80)).toBe('pending')
  })

  test.each([0, 1, 10, 20, 25, 30, 54, 55])('fits %i columns', (columns) => {
    expect(progressLine({ ...running, attempts: 123 }, columns).length).toBeLessThanOrEqual(
      Math.max(columns - 1, 0),
    )
  })
})
