import { expect, test } from 'vitest'
import { createMarks } from '../../src/runtime/attempt/marks.ts'
import { monitorStage } from '../support/monitor-stage.ts'

test('the marks of all attempts of a process are read, more of them than one request takes', async () => {
  const { backend, clock, put } = await monitorStage()
  const marks = createMarks(backend)
  const aborted: string[] = []
  for (let index = 0; index < 150; index++) {
    const id = `call-${index}`
    const isMarked = index === 5 || index === 120
    await put({ id, state: 'running', owner: 'a', attempts: 1, ...(isMarked && { abortReason: 'enough' }) })
    const abort = (reason: Error) => void aborted.push(`${id}: ${reason.message}`)
    marks.watch({ id, owner: 'a', attempt: 1, startedAt: clock.now(), abort })
  }
  await clock.advance({ seconds: 10 })
  expect(new Set(aborted)).toEqual(new Set(['call-5: enough', 'call-120: enough']))
})
