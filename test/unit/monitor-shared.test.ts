import { expect, test } from 'vitest'
import { shared } from '../../src/monitor/cached.ts'

/** Readings that end when the test says so. */
function stage() {
  const begun: PromiseWithResolvers<string>[] = []
  const source = shared(() => {
    const reading = Promise.withResolvers<string>()
    begun.push(reading)
    return reading.promise
  })
  return { begun, source }
}

test('is read once for all who ask, until it is old', async () => {
  const { begun, source } = stage()
  const both = [source.get(0, 1000), source.get(5000, 1000)]
  begun[0]?.resolve('first')
  expect(await Promise.all(both)).toEqual([
    { value: 'first', readAt: 0 },
    { value: 'first', readAt: 0 },
  ])
  expect(await source.get(999, 1000)).toMatchObject({ value: 'first' })
  source.get(1000, 1000)
  expect(begun).toHaveLength(2)
})

test('after somebody acted, what was begun before is not shown, and no second reading runs beside it', async () => {
  const { begun, source } = stage()
  const before = source.get(0, 1000)
  source.forget()
  const after = source.get(1, 1000)
  expect(source.get(2, 1000)).toBe(after)
  expect(begun).toHaveLength(1)
  begun[0]?.resolve('before')
  expect(await before).toEqual({ value: 'before', readAt: 0 })
  begun[1]?.resolve('after')
  expect(await after).toEqual({ value: 'after', readAt: 1 })
  expect(await source.get(3, 1000)).toEqual({ value: 'after', readAt: 1 })
  source.forget()
  source.get(4, 1000)
  expect(begun).toHaveLength(3)
})

test('a reading that failed before somebody acted does not fail the one after', async () => {
  const { begun, source } = stage()
  const before = source.get(0, 1000)
  source.forget()
  const after = source.get(1, 1000)
  begun[0]?.reject(new Error('away'))
  await expect(before).rejects.toThrow('away')
  begun[1]?.resolve('back')
  expect(await after).toMatchObject({ value: 'back' })
})
