import { TaskKilledError, TaskTimeoutError } from 'errand'
import { describe, expect, test } from 'vitest'
import { kitchenUnderTest } from './kitchen-under-test.ts'

const kitchen = kitchenUnderTest()

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

  test('leaves a rejection behind keeps its result; the call that its environment thaws for is tried again (F-35)', async () => {
    expect(await ending('leavesRejection')).toEqual({ state: 'succeeded', value: 1 })
    expect(await ending('leavesRejection')).toEqual({ state: 'succeeded', value: 2 })
    expect(kitchen.worker('untidy').environments()).toHaveLength(2)
  })

  test('never settles, with nothing on the event loop, ends at its limit (F-14)', async () => {
    const outcome = await ending('neverSettles')
    expect(outcome).toMatchObject({
      state: 'failed',
      reason: 'timed-out',
      error: expect.any(TaskTimeoutError),
    })
  })

  test('takes too long is asked to stop, and tried again', async () => {
    expect(await ending('sleeps')).toEqual({ state: 'succeeded', value: 2 })
  })

  test('stands still for longer than its lease cannot overwrite the result of who took over (F-20)', async () => {
    const worker = kitchen.worker('patient')
    const group = await rough('lingers')
    await worker.line('lingering, attempt 1')
    const [stalled] = worker.busy()
    stalled?.stall()
    const byOther = [{ state: 'succeeded', value: 'by attempt 2' }]
    expect(await group.outcomes(LONG)).toEqual(byOther)
    stalled?.resume()
    await worker.line('lingered, attempt 1')
    expect(await worker.line('result dropped')).toContain(group.at(0)?.id)
    // Read by a process that has not seen it yet.
    expect(await kitchen.ask('GET', `/calls/${group.id}`)).toEqual(byOther)
  })
})
