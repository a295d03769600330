import { type Config, createExecutor, defineConfig, InvalidOptionError } from 'errand'
import { describe, expect, test } from 'vitest'
import { DEFAULTS } from '../../src/runtime/config/config.ts'
import { resolveConfig, resolveTaskOptions } from '../../src/runtime/resolve-config.ts'

/** What a user of plain JavaScript may pass. */
const declare = (config: unknown) => defineConfig(config as Config)

function refusal(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

describe('resolveConfig fills in', () => {
  test('every default', () => {
    const config = resolveConfig({ name: 'shop' })
    expect(config.defaultQueue).toBe('default')
    expect(config.queues.get('default')).toEqual({
      name: 'default',
      fifo: false,
      draining: false,
      retentionSeconds: DEFAULTS.queueRetentionSeconds,
      visibilitySeconds: 90,
    })
    expect([...config.workers.keys()]).toEqual(['worker-1'])
    expect(config.workers.get('worker-1')).toMatchObject({ ...DEFAULTS.worker, batchSize: 5 })
    expect(config).toMatchObject({ record: 'on-submit', listing: true, routes: {}, taskOptions: {} })
  })

  test('workers by number, by name and by options', () => {
    expect([...resolveConfig({ name: 'a', workers: 2 }).workers.keys()]).toEqual(['worker-1', 'worker-2'])
    expect([...resolveConfig({ name: 'a', workers: ['foo', 'bar'] }).workers.keys()]).toEqual(['foo', 'bar'])
    const config = resolveConfig({ name: 'a', queues: ['q', 'r'], workers: { foo: { queues: ['r', 'q'] } } })
    expect(config.workers.get('foo')?.queues).toEqual(['r', 'q'])
  })

  test('a visibility of the slowest worker, its batch window and half a minute', () => {
    const workers = { fast: { timeoutSeconds: 30 }, slow: { timeoutSeconds: 900, batchWindowSeconds: 20 } }
    expect(resolveConfig({ name: 'a', workers }).queues.get('default')?.visibilitySeconds).toBe(950)
  })

  test.each([
    [40, 1, 10],
    [10, 1, 5],
    [40, 2, 10],
    [7, 1, 1],
    [2, 1, 1],
    [1, 1, 1],
    [6, 2, 1],
  ])('for a concurrency of %i over %i queues a batch of %i', (concurrency, queues, expected) => {
    const names = Array.from({ length: queues }, (_, index) => `q${index}`)
    const config = resolveConfig({ name: 'a', queues: names, workers: { w: { concurrency } } })
    expect(config.workers.get('w')?.batchSize).toBe(expected)
  })

  test('a task: its own options over those of the longest pattern over the defaults', () => {
    const config = resolveConfig({
      name: 'a',
      taskOptions: { '*': { maxAttempts: 7 }, 'reports.*': { maxAttempts: 5, backoff: { baseSeconds: 2 } } },
    })
    expect(resolveTaskOptions(config, 'add')).toMatchObject({ maxAttempts: 7, maxKills: 3 })
    expect(resolveTaskOptions(config, 'reports.build', { backoff: { factor: 3 } })).toEqual({
      maxAttempts: 5,
      maxKills: 3,
      backoff: { baseSeconds: 2, factor: 3, maxSeconds: 3600 },
      keepArguments: false,
    })
  })

  test('a back-off whose option is undefined keeps its default', () => {
    const backoff = { baseSeconds: undefined } as unknown as { baseSeconds: number }
    expect(resolveTaskOptions(resolveConfig({ name: 'a' }), 'add', { backoff }).backoff.baseSeconds).toBe(5)
  })
})

describe('defineConfig refuses', () => {
  const rows: [string, unknown, string[]][] = [
    ['no config', undefined, ['the config is undefined', 'expected an object']],
    ['a list', [], ['the config is an array of 0']],
    ['no name', {}, ['config `name` is undefined', 'a letter, then letters, digits and `-`, at most 40']],
    ['an empty name', { name: '' }, ['config `name` is ""', 'at most 40 characters']],
    ['a name of 41', { name: 'x'.repeat(41) }, ['config `name`', 'at most 40 characters']],
    ['a name with a digit first', { name: '1shop' }, ['"1shop"', 'a letter, then']],
    ['an unknown option', { name: 'a', queue: ['x'] }, ['unknown option `queue`', 'did you mean "queues"?']],
    ['no queues', { name: 'a', queues: [] }, ['config `queues` is empty', 'leave the option out']],
    ['queues as a text', { name: 'a', queues: 'high' }, ['config `queues` is "high"', 'expected names']],
    ['a queue twice', { name: 'a', queues: ['x', 'x'] }, ['config `queues` names "x" twice']],
    ['a queue with a dot', { name: 'a', queues: ['x.fifo'] }, ['"x.fifo"', '1–64 letters, digits']],
    ['a queue that is a number', { name: 'a', queues: [5] }, ['is 5', '1–64 letters']],
    [
      'queue options null',
      { name: 'a', queues: { x: null } },
      ['queue "x" is null', 'an object with options'],
    ],
    [
      'an unknown queue option',
      { name: 'a', queues: { x: { retention: 60 } } },
      ['queue "x"', '`retention`', 'known: "fifo", "retentionSeconds"'],
    ],
    ['fifo as a text', { name: 'a', queues: { x: { fifo: 'yes' } } }, ['`fifo` is "yes"', 'true or false']],
    [
      'a retention below SQS takes',
      { name: 'a', queues: { x: { retentionSeconds: 59 } } },
      ['`retentionSeconds` is 59', 'a whole number from 60 to 1209600', "SQS's limits"],
    ],
    [
      'a visibility below the time-out',
      { name: 'a', queues: { x: { visibilitySeconds: 59 } } },
      ['`visibilitySeconds` is 59', 'from 60 to 43200', 'no less than its slowest worker'],
    ],
    ['blobs that are a number', { name: 'a', blobs: 5 }, ['`blobs` is 5', 'true, false, or an object']],
    ['blobs null', { name: 'a', blobs: null }, ['config `blobs` is null', 'true, false, or an object']],
    ['no workers', { name: 'a', workers: 0 }, ['config `workers` is 0', 'a whole number from 1 to 100']],
    ['half a worker', { name: 'a', workers: 1.5 }, ['config `workers` is 1.5', 'a whole number']],
    ['a worker that is NaN', { name: 'a', workers: Number.NaN }, ['config `workers` is NaN']],
    ['an empty list of workers', { name: 'a', workers: [] }, ['config `workers` is empty']],
    [
      'an unknown worker option',
      { name: 'a', workers: { w: { timeoutSecond: 5 } } },
      ['worker "w"', '`timeoutSecond`', 'did you mean "timeoutSeconds"?'],
    ],
    [
      'an unknown log level',
      { name: 'a', workers: { w: { logLevel: 'wran' } } },
      ['worker "w": `logLevel` is "wran"', 'did you mean "warn"?', '"debug"'],
    ],
    [
      'a worker of an unknown queue',
      { name: 'a', queues: ['high'], workers: { w: { queues: ['hgh'] } } },
      ['worker "w"', '"hgh"', 'not declared', 'did you mean "high"?'],
    ],
    [
      'a worker of a queue twice',
      { name: 'a', queues: ['high'], workers: { w: { queues: ['high', 'high'] } } },
      ['worker "w": `queues` names "high" twice'],
    ],
    [
      'a worker of no queue',
      { name: 'a', workers: { w: { queues: [] } } },
      ['worker "w": `queues`', 'at least one'],
    ],
    [
      'a queue without a worker',
      { name: 'a', queues: ['low', 'high'], workers: { w: { queues: ['low'] } } },
      ['queue "high" has no worker', 'would never run', 'add it to the `queues` of one of "w"'],
    ],
    [
      'a route to an unknown queue',
      { name: 'a', queues: ['high'], routes: { 'x.*': 'hihg' } },
      ['config `routes`: "x.*"', '"hihg"', 'not declared', 'did you mean "high"?'],
    ],
    ['routes as a text', { name: 'a', routes: 'x' }, ['config `routes` is "x"', 'expected queues']],
    [
      'an unknown task option',
      { name: 'a', taskOptions: { x: { retries: 3 } } },
      ['config `taskOptions` "x"', '`retries`', 'known: "maxAttempts"'],
    ],
    ['task options as a text', { name: 'a', taskOptions: 'x' }, ['config `taskOptions` is "x"']],
    ['another record', { name: 'a', record: 'never' }, ['config `record` is "never"', 'known: "on-submit"']],
    [
      'a batch window of a FIFO queue',
      {
        name: 'a',
        queues: { jobs: {}, orders: { fifo: true } },
        workers: { w: { batchWindowSeconds: 2, concurrency: 20 } },
      },
      [
        'worker "w": `batchWindowSeconds` is 2, and it consumes the FIFO queue "orders", for which Lambda has no batch window',
        'give the FIFO queue a worker of its own, or leave the window out',
      ],
    ],
    [
      "a queue by the name of another's dead-letter queue",
      { name: 'a', queues: ['jobs-dead-letters', 'jobs'] },
      [
        'config `queues` has "jobs-dead-letters", which is the name of the dead-letter queue of "jobs"; use another name',
      ],
    ],
    ['a listing of 1', { name: 'a', listing: 1 }, ['config `listing` is 1', 'expected true or false']],
  ]
  test.each(rows)('%s', (_, config, parts) => {
    const error = refusal(() => declare(config))
    expect(InvalidOptionError.is(error)).toBe(true)
    for (const part of parts) expect(error.message).toContain(part)
  })

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('a queue named %s', (name) => {
    for (const what of ['queues', 'workers']) {
      const error = refusal(() => declare({ name: 'a', [what]: [name] }))
      expect(InvalidOptionError.is(error)).toBe(true)
      expect(error.message).toContain(name)
      expect(error.message).toContain('every object has')
    }
  })

  const numbers: [string, unknown][] = [
    ['timeoutSeconds', -1],
    ['timeoutSeconds', Number.NaN],
    ['timeoutSeconds', '60'],
    ['timeoutSeconds', 9],
    ['timeoutSeconds', 901],
    ['timeoutSeconds', Number.POSITIVE_INFINITY],
    ['timeoutSeconds', null],
    ['concurrency', 0],
    ['concurrency', 10_001],
    ['memoryMiB', 127],
    ['memoryMiB', 10_241],
    ['batchSize', 0],
    ['batchSize', 11],
    ['batchWindowSeconds', -1],
    ['batchWindowSeconds', 301],
  ]
  test.each(numbers)('a worker whose %s is %s', (option, value) => {
    const error = refusal(() => declare({ name: 'a', workers: { w: { [option]: value } } }))
    expect(InvalidOptionError.is(error)).toBe(true)
    expect(error.message).toContain(
      `worker "w": \`${option}\` is ${JSON.stringify(value) === '"60"' ? '"60"' : value}`,
    )
    expect(error.message).toMatch(/expected a whole number from \d+ to \d+/)
  })

  const taskNumbers: [Record<string, unknown>, string][] = [
    [{ timeoutSeconds: -1 }, '`timeoutSeconds` is -1'],
    [{ timeoutSeconds: 0 }, '`timeoutSeconds` is 0'],
    [{ timeoutSeconds: Number.NaN }, '`timeoutSeconds` is NaN'],
    [{ timeoutSeconds: 56 }, '`timeoutSeconds` is 56, expected a number from 0.001 to 55'],
    [{ maxAttempts: 0 }, '`maxAttempts` is 0, expected a whole number from 1 to 100'],
    [{ maxKills: 101 }, '`maxKills` is 101'],
    [{ backoff: { baseSeconds: -1 } }, '`backoff`: `baseSeconds` is -1'],
    [{ backoff: { factor: 0 } }, '`backoff`: `factor` is 0'],
    [{ backoff: { maxSeconds: 39_601 } }, '`maxSeconds` is 39601, expected a number from 0 to 39600'],
    [{ backoff: 5 }, '`backoff` is 5'],
    [{ backoff: { base: 5 } }, 'unknown option `base`'],
  ]
  test.each(taskNumbers)('task options %o', (options, part) => {
    const error = refusal(() => declare({ name: 'a', taskOptions: { 'x.*': options } }))
    expect(InvalidOptionError.is(error)).toBe(true)
    expect(error.message).toContain('config `taskOptions` "x.*"')
    expect(error.message).toContain(part)
  })
})

test('a batch window of a FIFO queue is taken where no mapping is made of it', () => {
  const orders = { fifo: true }
  const long = { runsOn: 'container', batchWindowSeconds: 2 } as const
  expect(() => declare({ name: 'a', queues: { orders }, workers: { long } })).not.toThrow()
})

test('a limit over the longest worker time-out says how to raise it', () => {
  const error = refusal(() => declare({ name: 'a', taskOptions: { x: { timeoutSeconds: 60 } } }))
  expect(error.message).toContain('5 s of it are kept for the final write')
  expect(error.message).toContain("raise the worker's `timeoutSeconds` or split the task")
})

test('createExecutor refuses an option that it does not know, with the nearest one', () => {
  const config = defineConfig({ name: 'options' })
  const options: object = { task: { add: () => 1 } }
  const error = refusal(() => createExecutor(config, options))
  expect(InvalidOptionError.is(error)).toBe(true)
  expect(error.message).toContain('did you mean "tasks"?')
})
