import { TaskKilledError, TaskTimeoutError } from 'errand'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Kitchen, runKitchen } from './run-kitchen.ts'

let kitchen: Kitchen
beforeAll(async () => {
  kitchen = await runKitchen()
})
afterAll(() => kitchen?.close())

/** Longer than three attempts that are killed, each 13 s after the other. */
const LONG = { timeoutSeconds: 100 }

const rough = (task: string) => kitchen.submit({ task: `rough.${task}`, calls: [[]] })

/** Of a call that another process submitted. */
async function ending(task: string) {
  const group = await rough(task)
  const [outcome] = await group.outcomes(LONG)
  return outcome
}

const failures = () => kitchen.stack.failures.map(({ message }) => message)

// All at once: each waits for most of its time, until the lease of a killed attempt is over.
describe.concurrent('a task that', () => {
  test('exits the process is killed as often as it may be, and its future says so', async () => {
    const outcome = await ending('exits')
    expect(outcome).toMatchObject({ state: 'failed', reason: 'killed', error: expect.any(TaskKilledError) })
    expect(failures()).toContain('Error: Runtime exited with error: exit status 1')
  })

  test('throws where nobody can catch it is tried again', async () => {
    expect(await ending('throwsUncaught')).toEqual({ state: 'succeeded', value: 2 })
  })

  test('blocks the event loop is killed at the time-out of the template, and tried again', async () => {
    expect(await ending('blocks')).toEqual({ state: 'succeeded', value: 2 })
    expect(failures()).toContain('Task timed out after 10.00 seconds')
  })

  test('takes more memory than the template gives it is killed, and its future says so', async () => {
    expect(await ending('hoards')).toMatchObject({ state: 'failed', reason: 'killed' })
    expect(failures()).toContain('Error: Runtime exited with error: signal: SIGABRT')
    const said = await kitchen.worker('rough').line('heap out of memory')
    expect(said).toContain('JavaScript heap out of memory')
  })

  test('rejects behind its own back is killed, and tried again', async () => {
    expect(await ending('rejectsBehind')).toEqual({ state: 'succeeded', value: 2 })
  })

  test('leaves a rejection behind keeps its result', async () => {
    expect(await ending('rejectsLater')).toEqual({ state: 'succeeded', value: 'returned' })
  })

  test('never settles, with nothing on the event loop, ends at its limit', async () => {
    const outcome = await ending('neverSettles')
    expect(outcome).toMatchObject({ state: 'failed', reason: 'timed-out', error: expect.any(TaskTimeoutError) })
  })

  test('takes too long is asked to stop, and tried again', async () => {
    expect(await ending('sleeps')).toEqual({ state: 'succeeded', value: 2 })
  })
})
