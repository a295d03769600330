/**
 * The kitchen for the tests of one file; of a test that fails it tells what the stack has said.
 * @module
 */
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type Kitchen, runKitchen } from './run-kitchen.ts'

/** Runs it from the first test of the file to the last; it can be used in tests only. */
export function kitchenUnderTest(): Kitchen {
  const kitchen: Partial<Kitchen> = {}
  beforeAll(async () => {
    Object.assign(kitchen, await runKitchen())
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(kitchen.stack?.report())
  })
  afterAll(() => kitchen.close?.())
  return kitchen as Kitchen
}
