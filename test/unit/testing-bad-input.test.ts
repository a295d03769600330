import {
  createExecutor,
  defineConfig,
  InvalidOptionError,
  InvalidTaskError,
  UnregisteredTaskError,
} from 'errand'
import { type FaultSwitches, faultPlan, virtualClock } from 'errand/local-emulator'
import { type TestExecutor, type TestExecutorOptions, testExecutor } from 'errand/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

// What a test can get wrong: each refusal says what, the value, the rule and the fix.

const config = defineConfig({ name: 'shop' })
const add = (a: number, b: number) => a + b
const build = (month: string) => month
let executor: ReturnType<typeof make>
let t: TestExecutor

function make() {
  return createExecutor(config, { tasks: { add, reports: { build } } })
}

beforeEach(() => {
  executor = make()
  t = testExecutor(executor)
})
afterEach(() => t.close())

describe('testExecutor', () => {
  test.each([undefined, null, 5, {}, add])('refuses %s in place of an executor', (value) => {
    expect(() => testExecutor(value as never)).toThrow('expected an executor of createExecutor')
  })

  test.each<[unknown, string]>([
    [5, 'the options of testExecutor is 5, expected an object'],
    [{ fault: {} }, 'unknown option `fault`; did you mean "faults"?'],
    [{ faults: 5 }, '`faults` is 5, expected an object'],
    [{ startTime: 'yesterday' }, '`startTime` is "yesterday", expected a whole number'],
    [{ startTime: new Date(Number.NaN) }, '`startTime` is NaN'],
    [{ startTime: -1 }, '`startTime` is -1'],
    [{ realWaitSeconds: 0 }, '`realWaitSeconds` is 0, expected a number from 0.01 to 600'],
    [{ realWaitSeconds: Number.POSITIVE_INFINITY }, '`realWaitSeconds` is Infinity'],
  ])('refuses the options %j, and leaves the executor as it was', async (options, message) => {
    const other = make()
    expect(() => testExecutor(other, options as TestExecutorOptions)).toThrow(message)
    expect(() => testExecutor(other, options as TestExecutorOptions)).toThrow(InvalidOptionError)
    const sound = testExecutor(other)
    await sound.close()
  })
})

describe('a task', () => {
  const methods: readonly [string, (task: never) => unknown][] = [
    ['submitted', (task) => t.submitted(task)],
    ['failNext', (task) => t.failNext(task, new Error('busy'))],
    ['killNext', (task) => t.killNext(task)],
    ['duplicateNext', (task) => t.duplicateNext(task)],
    ['runTask', (task) => t.runTask(task, [] as never)],
  ]
  const refusal = async (work: () => unknown): Promise<unknown> => {
    try {
      await work()
    } catch (error) {
      return error
    }
    throw new Error('was not refused')
  }

  test.each(methods)('%s refuses an unknown name, and says which is near', async (_, call) => {
    const error = await refusal(() => call('reports.biuld' as never))
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(String(error)).toContain('no task has the name "reports.biuld"; did you mean "reports.build"?')
  })

  test.each(methods)('%s refuses a function that nobody registered', async (_, call) => {
    const error = await refusal(() => call((() => 1) as never))
    expect(UnregisteredTaskError.is(error)).toBe(true)
    const twin = await refusal(() => call(((build) => build)((month: string) => month) as never))
    expect(UnregisteredTaskError.is(twin)).toBe(true)
  })

  test.each(methods)('%s refuses what is neither', async (_, call) => {
    for (const value of [undefined, null, 5, {}, ['add']]) {
      const error = await refusal(() => call(value as never))
      expect(InvalidOptionError.is(error), String(error)).toBe(true)
      expect(String(error)).toContain('expected a task, a registered function or a name')
    }
  })

  test.each(['constructor', '__proto__', 'toString', ''])('the name %j finds nothing', (name) => {
    expect(() => t.submitted(name)).toThrow('no task has the name')
  })
})

describe('single faults', () => {
  test.each([undefined, 'busy', 5, Error])('failNext refuses the error %s', (error) => {
    expect(() => t.failNext(add, error as never)).toThrow("expected an Error, as in new Error('busy')")
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2'])('%s times are refused', (times) => {
    const options = { times } as { times: number }
    const rule = 'expected a whole number from 1 to 1000000'
    expect(() => t.failNext(add, new Error('busy'), options)).toThrow(rule)
    expect(() => t.killNext(add, options)).toThrow(rule)
    expect(() => t.duplicateNext(add, options)).toThrow(rule)
  })

  test('unknown options and points are refused', () => {
    const wrong = { time: 2 } as never
    expect(() => t.failNext(add, new Error('busy'), wrong)).toThrow('`time`; did you mean "times"?')
    expect(() => t.duplicateNext(add, wrong)).toThrow('`time`; did you mean "times"?')
    expect(() => t.killNext(add, { at: 'beforeFinsh' } as never)).toThrow('did you mean "beforeFinish"?')
    expect(() => t.killNext(add, 3 as never)).toThrow('the options of killNext is 3')
  })
})

describe('moving time', () => {
  test('spans that are none are refused', async () => {
    await expect(t.advance(5 as never)).rejects.toThrow('the span of advance is 5')
    await expect(t.advance({ hour: 1 } as never)).rejects.toThrow('did you mean "hours"?')
    await expect(t.advance({ hours: -1 })).rejects.toThrow('`hours` is -1')
  })

  test.each([undefined, 5, () => 1])('run refuses %s', async (value) => {
    await expect(t.run(value as never)).rejects.toThrow('expected a promise, as in run(future.result())')
  })
})

describe('runTask', () => {
  test.each([undefined, 5, 'ab', { 0: 1 }])('refuses the arguments %j', async (args) => {
    await expect(t.runTask(add, args as never)).rejects.toThrow('expected a list of them, as in runTask(add')
  })

  test('refuses options that are none', async () => {
    const run = (options: unknown) => t.runTask(add, [1, 2], options as never)
    await expect(run({ attempts: 2 })).rejects.toThrow('did you mean "attempt"?')
    await expect(run({ attempt: 0 })).rejects.toThrow('`attempt` is 0, expected a whole number from 1')
    await expect(run({ signal: new AbortController() })).rejects.toThrow('expected an AbortSignal')
  })
})

describe('the fault switches', () => {
  const rows: readonly [unknown, string][] = [
    [5, '`faults` is 5, expected an object with options'],
    [[], '`faults` is an array of 0'],
    [{ duplicates: 0.1 }, 'unknown option `duplicates`; did you mean "duplicate"?'],
    [{ duplicate: 1.5 }, '`faults.duplicate` is 1.5, expected a number from 0 to 1 (a probability'],
    [{ reorder: -0.1 }, '`faults.reorder` is -0.1'],
    [{ delay: '10%' }, '`faults.delay` is "10%", expected a number from 0 to 1'],
    [{ throttle: Number.NaN }, '`faults.throttle` is NaN'],
    [{ maxDelaySeconds: 901 }, '`faults.maxDelaySeconds` is 901, expected a whole number from 1 to 900'],
    [{ maxDelaySeconds: 0.5 }, '`faults.maxDelaySeconds` is 0.5'],
    [{ seed: -1 }, '`faults.seed` is -1, expected a whole number from 0'],
    [{ seed: 'seven' }, '`faults.seed` is "seven"'],
    [{ clockSkewSeconds: 61 }, '`faults.clockSkewSeconds` is 61, expected a number from 0 to 60'],
    [{ kill: 0.5 }, '`faults.kill` is 0.5, expected an object'],
    [{ kill: { inTasks: 0.5 } }, 'did you mean "inTask"?'],
    [{ kill: { inTask: 2 } }, '`faults.kill.inTask` is 2, expected a number from 0 to 1'],
    [{ loseRequest: 0.5, loseResponse: 0.5 }, 'add up to 1, expected less than 1: some requests must get'],
    [{ throttle: 1 }, 'add up to 1'],
  ]

  test.each(rows)('%j are refused', (faults, message) => {
    expect(() => faultPlan(faults as FaultSwitches)).toThrow(message)
    expect(() => faultPlan(faults as FaultSwitches)).toThrow(InvalidOptionError)
  })

  test('an executor refuses them at its first use, as it does an unknown option of `local`', async () => {
    const wrong = (local: object) => createExecutor(config, { tasks: { add }, local })
    const clock = virtualClock()
    const refused = wrong({ clock, faults: { duplicat: 1 } }).submit(add, 1, 2)
    await expect(refused).rejects.toThrow('did you mean "duplicate"?')
    await expect(wrong({ clock, fault: {} }).submit(add, 1, 2)).rejects.toThrow('did you mean "faults"?')
  })

  test('every limit itself is accepted', () => {
    const most = { duplicate: 1, reorder: 1, delay: 1, maxDelaySeconds: 900, clockSkewSeconds: 60 }
    const kill = { beforeClaim: 1, inTask: 1, beforeFinish: 1, afterFinish: 1 }
    const { switches } = faultPlan({ ...most, seed: 2 ** 32 - 1, loseRequest: 0.99, kill })
    expect(switches).toMatchObject({ ...most, kill, throttle: 0 })
  })

  test('a plan refuses what it cannot be asked for', () => {
    const plan = faultPlan()
    expect(() => plan.killNext('add', 'inTaks' as never)).toThrow('did you mean "inTask"?')
    expect(() => plan.requestNext('updat' as never, 'throttle')).toThrow('did you mean "update"?')
    expect(() => plan.requestNext('update', 'loseResponses' as never)).toThrow('did you mean "loseResponse"?')
    expect(() => plan.failNext('add', 'busy' as never)).toThrow('expected an Error')
  })
})
