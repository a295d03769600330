import { type CallOptions, type Config, createExecutor, defineConfig, InvalidOptionError } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { expect, test } from 'vitest'

const add = (a: number, b: number) => a + b
const NOW = Date.UTC(2026, 0, 1)
const DAY = 86_400_000
const after = (ms: number) => new Date(NOW + ms)

/** The refusal of a submit with these options; `undefined` where it is taken. */
async function refusalOf(options: CallOptions, config: Partial<Config> = {}, backend?: 'eager') {
  const queues = { default: {}, ordered: { fifo: true } }
  const local = { clock: virtualClock(NOW), startWorkers: false }
  const where = backend === undefined ? { backend: 'local' as const, local } : { backend }
  const executor = createExecutor(defineConfig({ name: 'times', queues, ...config }), {
    tasks: { add },
    ...where,
  })
  try {
    await executor.with(options as CallOptions<'default'>).submit(add, 1, 2)
    return undefined
  } catch (error) {
    expect(InvalidOptionError.is(error)).toBe(true)
    return (error as Error).message
  } finally {
    await executor.close()
  }
}

const long = { longDelays: true }

const taken: [CallOptions, Partial<Config>][] = [
  [{ delaySeconds: 900 }, {}],
  [{ delaySeconds: 0.4 }, {}],
  [{ at: after(900_000) }, {}],
  [{ at: after(-DAY) }, {}],
  [{ at: new Date(0) }, {}],
  [{ at: after(-1), queue: 'ordered' }, {}],
  [{ delaySeconds: 901 }, long],
  [{ delaySeconds: 31_536_000 }, long],
  [{ at: after(365 * DAY) }, long],
  [{ expiresInSeconds: 0.5 }, {}],
  [{ expiresInSeconds: 901, delaySeconds: 900 }, {}],
  [{ expiresAt: after(1) }, {}],
  [{ expiresAt: after(366 * DAY), at: after(365 * DAY) }, long],
  [{ expiresInSeconds: 5, queue: 'ordered' }, {}],
]
test.each(taken)('%o is taken', async (options, config) => {
  expect(await refusalOf(options, config)).toBeUndefined()
})

const line = 'add `longDelays: true` to the config'
const refused: [CallOptions, Partial<Config>, string][] = [
  [{ delaySeconds: 901 }, {}, line],
  [{ at: after(900_001) }, {}, line],
  [{ delaySeconds: -1 }, long, 'expected a number from 0 to 31536000 (at most 365 days)'],
  [{ delaySeconds: 31_536_001 }, long, 'expected a number from 0 to 31536000'],
  [{ delaySeconds: Number.NaN }, long, '`delaySeconds` is NaN'],
  [{ delaySeconds: '5' as never }, long, '`delaySeconds` is "5"'],
  [{ delaySeconds: Number.POSITIVE_INFINITY }, long, 'expected a number'],
  [{ at: after(365 * DAY + 1) }, long, 'more than 365 days from now (2026-01-01T00:00:00.000Z)'],
  [{ at: new Date(Number.NaN) }, long, '`at` is an invalid Date, expected a Date that is valid'],
  [{ at: '2026-01-02' as never }, long, '`at` is "2026-01-02", expected a Date'],
  [{ at: 5 as never }, long, '`at` is 5, expected a Date'],
  [{ at: after(5), delaySeconds: 5 }, long, 'a call has a `delaySeconds` (5) or an `at`'],
  [{ at: after(5), queue: 'ordered' }, long, 'the queue "ordered" is FIFO'],
  [{ delaySeconds: 1000, queue: 'ordered' }, long, 'the queue "ordered" is FIFO'],
  [{ expiresInSeconds: 0 }, {}, '`expiresInSeconds` is 0'],
  [{ expiresInSeconds: -5 }, {}, '`expiresInSeconds` is -5'],
  [{ expiresInSeconds: Number.NaN }, {}, '`expiresInSeconds` is NaN'],
  [
    { expiresInSeconds: 60, expiresAt: after(60_000) },
    {},
    'a call has a `expiresInSeconds` (60) or an `expiresAt`',
  ],
  [{ expiresAt: after(0) }, {}, '2026-01-01T00:00:00.000Z, which is past'],
  [{ expiresAt: after(-DAY) }, {}, 'the call would never run'],
  [{ expiresAt: new Date(Number.NaN) }, {}, '`expiresAt` is an invalid Date'],
  [{ expiresAt: after(400 * DAY) }, {}, 'no message lives longer'],
  [{ expiresInSeconds: 60, delaySeconds: 60 }, {}, 'is not due before 2026-01-01T00:01:00.000Z'],
  [{ expiresInSeconds: 60, at: after(2 * DAY) }, long, 'is not due before 2026-01-03'],
  [{ expiresAt: after(DAY), delaySeconds: 86_401 }, long, 'it would never run'],
]
test.each(refused)('%o is refused', async (options, config, text) => {
  expect(await refusalOf(options, config)).toContain(text)
})

test('a delay that needs `longDelays` is refused by the eager backend too', async () => {
  expect(await refusalOf({ delaySeconds: 901 }, {}, 'eager')).toContain(line)
  expect(await refusalOf({ delaySeconds: 901 }, long, 'eager')).toBeUndefined()
})

test('a back-off over 11 h needs `longDelays`', () => {
  const config = (maxSeconds: number, longDelays: boolean) => ({
    name: 'times',
    longDelays,
    taskOptions: { '*': { backoff: { baseSeconds: 5, maxSeconds } } },
  })
  expect(() => defineConfig(config(39_601, false))).toThrow('with `longDelays: true` in the config')
  expect(() => defineConfig(config(31_536_001, true))).toThrow('at most 365 days')
  expect(defineConfig(config(31_536_000, true)).longDelays).toBe(true)
  expect(() => defineConfig({ name: 'times', longDelays: 1 as never })).toThrow('`longDelays` is 1')
})
