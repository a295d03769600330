/**
 * The protocol under every fault, in so many seeds as a test run can afford: `npm run sim` runs more.
 */
import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { check } from './checkers.ts'
import type { Happening, RunResult } from './history.ts'
import { modes } from './modes.ts'
import { mutants } from './mutants.ts'
import { inParallel, runJob, runRange } from './run-jobs.ts'
import { hashOfTrace, runSeed } from './run-seed.ts'
import { shrinkFaults } from './shrink.ts'
import { editedSource, readEdited } from './source-edits.ts'

const PROCESSES = Math.min(availableParallelism(), 2)
const SEEDS = 20_000
const SEEDS_OF_OTHER_MODES = 250
/** How far a mutant is looked for here; `npm run sim -- --mutants` looks further. */
const SEEDS_OF_A_MUTANT = 10_000

/** One in which something happens. */
const FAULTY_SEED = 7

const full = modes.get('full') as NonNullable<ReturnType<typeof modes.get>>
const job = { mode: 'full', stop: false, replay: false, explain: true }

describe('the contract', () => {
  test(`holds in ${SEEDS} seeds`, async () => {
    const { findings, seeds, faults } = await runRange({ ...job, from: 1, to: SEEDS }, PROCESSES)
    expect(findings).toEqual([])
    expect(seeds).toBe(SEEDS)
    // A fault that never happens is one that nothing was tested against.
    expect(Object.values(faults).every((count) => count > 100)).toBe(true)
    expect(Object.keys(faults)).toHaveLength(23)
  })

  test.each([...modes.keys()].filter((mode) => mode !== 'full'))('holds in the mode %s', async (mode) => {
    const { findings } = await runRange({ ...job, mode, from: 1, to: SEEDS_OF_OTHER_MODES }, PROCESSES)
    expect(findings).toEqual([])
  })
})

test('200 seeds replay to the same bytes', async () => {
  const report = await runRange({ ...job, replay: true, from: 1, to: 200 }, PROCESSES)
  expect(report).toMatchObject({ seeds: 200, unequal: [] })
})

describe('mutants', () => {
  test('there are at least 22, each applies to the sources, and has a name of its own', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(22)
    for (const { edits } of mutants)
      for (const edit of edits) expect(readEdited(edit)).toContain(edit.replace)
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  test('all are found', async () => {
    const living = await inParallel(
      mutants,
      PROCESSES,
      async ({ name, mode = 'full', foundAtSeed: from = 1 }) => {
        const range = { from, to: from + SEEDS_OF_A_MUTANT, step: 1 }
        const { findings } = await runJob({
          ...job,
          ...range,
          mode,
          mutant: name,
          stop: true,
          explain: false,
        })
        return findings.length > 0 ? [] : [name]
      },
    )
    expect(living.flat()).toEqual([])
  })

  test('an edit that no longer applies is refused', () => {
    const edit = { file: 'src/a.ts', find: 'one', replace: 'two' }
    expect(editedSource(edit, 'just one')).toBe('just two')
    expect(() => editedSource(edit, 'nothing')).toThrow('occurs 0 times')
    expect(() => editedSource(edit, 'one and one')).toThrow('occurs 2 times')
  })
})

/** A quiet run in which a call succeeds. */
async function soundRun(): Promise<RunResult> {
  for (let seed = 1; ; seed++) {
    const result = await runSeed(seed, full, new Set())
    const ended = result.history.some(({ kind }) => kind === 'deleted')
    const succeeded = [...result.records.values()].some(({ state }) => state === 'succeeded')
    if (ended && succeeded) return result
  }
}

type Doctor = (history: Happening[], id: string) => Happening[]

const lastWrite = (history: readonly Happening[], id: string) =>
  history.findLast((one) => one.kind === 'write' && one.id === id) as Extract<Happening, { kind: 'write' }>

/** What each checker has to see, done to a sound history. */
const doctored: Readonly<Record<string, Doctor>> = {
  finalIsFinal: (history, id) => {
    const { at, after } = lastWrite(history, id)
    const late = {
      ...lastWrite(history, id),
      at: at + 1,
      before: after,
      after: { ...after, result: '{"json":{"id":"other","execution":1}}' },
    }
    return [...history, late]
  },
  fenceHolds: (history, id) =>
    history.map((one) =>
      one === lastWrite(history, id) ? { ...lastWrite(history, id), process: 'another' } : one,
    ),
  attemptsAreCounted: (history, id) =>
    history.map((one) =>
      one.kind === 'write' && one.id === id && one.after.state === 'running'
        ? { ...one, after: { ...one.after, attempts: one.after.attempts + 1 } }
        : one,
    ),
  executionsAreBounded: (history, id) => [
    ...history,
    ...history.filter((one) => one.kind === 'run' && one.id === id),
  ],
  acknowledgedOnlyWhenOver: (history, id) =>
    history
      .map((one) =>
        one.kind === 'deleted' && one.id === id && one.record !== undefined
          ? { ...one, record: { ...one.record, state: 'running' as const }, receivedAt: 0 }
          : one,
      )
      .filter((one) => one !== lastWrite(history, id)),
  batchIsAnswered: (history) =>
    history.map((one) => (one.kind === 'answered' ? { ...one, failures: undefined } : one)),
  futuresSettle: (history, id) => history.filter((one) => one.kind !== 'settled' || one.id !== id),
  cancelIsKept: (history, id) => [
    { at: 0, kind: 'told', what: 'cancel', id, process: 'client-1', answer: true },
    ...history,
  ],
  nothingIsUnhandled: (history) => [...history, { at: 0, kind: 'unhandled', error: 'a rejection' }],
  nothingIsLost: (history, id) => {
    const submitted = history.find((one) => one.kind === 'submitted' && one.id === id) as Happening
    return [...history, { ...submitted, id: 'never-seen' } as Happening]
  },
}

test.each(Object.entries(doctored))('%s sees a doctored history', async (checker, doctor) => {
  const result = await soundRun()
  expect(check(result, full)).toEqual([])
  const [record] = [...result.records.values()].filter(({ state }) => state === 'succeeded')
  const history = doctor([...result.history], record?.id ?? '')
  const seen = check({ ...result, history }, full).map((violation) => violation.checker)
  expect(seen).toContain(checker)
})

test('only the faults that are allowed happen, and a run without any has another trace', async () => {
  const all = await runSeed(FAULTY_SEED, full)
  const none = await runSeed(FAULTY_SEED, full, new Set())
  expect(all.faults.length).toBeGreaterThan(0)
  expect(none.faults).toEqual([])
  expect(hashOfTrace(all)).not.toBe(hashOfTrace(none))
})

describe('shrinking', () => {
  test('leaves the faults that are enough', async () => {
    const faults = Array.from({ length: 60 }, (_, index) => `lost-response#${index}`)
    const needed = ['lost-response#7', 'lost-response#41']
    const fails = async (only: ReadonlySet<string>) => needed.every((fault) => only.has(fault))
    expect(await shrinkFaults(faults, fails)).toEqual(needed)
  })

  test('finds that no fault is needed', async () => {
    expect(await shrinkFaults(['crash#0', 'crash#1'], async () => true)).toEqual([])
  })
})
