/**
 * A task's time limit is held against the workers of the queue that it goes to.
 * @module
 */
import { expect, test } from 'vitest'
import { stackFleet, warningsOf } from './synthesized-fleet.ts'

const make = (name: string) => stackFleet({ app: `test/fixtures/cdk-app/odd-fleets.ts:${name}` })

test('a limit that no worker of its queue has room for is refused, though another worker has', () => {
  expect(() => make('elsewhere')).toThrow(
    'Shop/Jobs: task "go": `timeoutSeconds` is 300, and it goes to queue "fast", whose worker "small" (25 s) would cut it short: ' +
      "the time-out less the 5 s for the final write; raise the worker's `timeoutSeconds`, or route the task to another queue",
  )
})

test('a task without a route is one of the default queue', () => {
  expect(() => make('unrouted')).toThrow('it goes to queue "fast", whose worker "small" (25 s)')
})

test('a limit that some workers of its queue have room for is warned of', () => {
  expect(warningsOf(make('beside'))).toEqual([
    expect.stringContaining(
      'task "go": `timeoutSeconds` is 7200, and it goes to queue "fast", whose worker "quick" (55 s) would cut it short',
    ),
  ])
})

test('a limit that all have room for is neither', () => {
  expect(warningsOf(make('fitting'))).toEqual([])
})
