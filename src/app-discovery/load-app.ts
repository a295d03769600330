/**
 * The program that loads an app: it builds it, imports it, and answers with what it declares. Whatever the app does
 * at import ends with this process.
 * @module
 */
import { join } from 'node:path'
import { systemClock } from '../runtime/clock.ts'
import type { ResolvedSchedule } from '../runtime/config/config.ts'
import { buildApp } from './build-app.ts'
import { type DiscoveredJson, describeApp } from './discovered-app.ts'
import type { AppModule } from './find-app-module.ts'
import { importApp } from './import-app.ts'
import { LoadFailure, type ToldFailure, tellFailure } from './load-failure.ts'
import { pickExecutor } from './pick-executor.ts'
import { readRequest, writeAnswer } from './run-program.ts'

/** Which part of the loading a process that ended without a word was in. */
export type Stage = 'built' | 'imported' | 'read'

/** What the program answers: that it has begun a stage, and in the end what it found or what failed. */
export type LoadAnswer =
  | { readonly stage: Stage }
  | { readonly found: DiscoveredJson }
  | { readonly failure: ToldFailure }

const { folder, request } = readRequest<AppModule>()
let answered = false

function answer(last: LoadAnswer): void {
  if (answered) return
  answered = !('stage' in last)
  writeAnswer(folder, last)
}

function fail(parts: ConstructorParameters<typeof LoadFailure>[0]): void {
  answer({ failure: tellFailure(parts) })
}

async function load(): Promise<void> {
  const outfile = join(folder, 'app.mjs')
  answer({ stage: 'built' })
  await buildApp(request.path, outfile)
  answer({ stage: 'imported' })
  const exports = await importApp(outfile)
  answer({ stage: 'read' })
  const { app, exportName, isFactory } = await pickExecutor(exports, request.exportName)
  // A turn, so that what was begun at import and rejects at once is heard of.
  await new Promise(setImmediate)
  try {
    const found = describeApp(app, { modulePath: request.path, exportName, isFactory })
    answer({ found: { ...found, schedulesOver: await overOf(found.schedules) } })
  } catch (error) {
    throw new LoadFailure({ problem: 'declares tasks or options that are refused', error })
  }
}

/** @throws InvalidOptionError where a schedule has a zone that nobody knows, or never a time */
async function overOf(schedules: readonly ResolvedSchedule[]): Promise<readonly string[]> {
  if (schedules.length === 0) return []
  // Most apps have none, and are found without the cron library.
  const { isOver } = await import('../runtime/schedules/check-schedules.ts')
  return schedules.filter((schedule) => isOver(schedule, systemClock.now())).map(({ name }) => name)
}

process.on('unhandledRejection', (error) => {
  fail({ problem: 'leaves a promise to reject with nobody listening', error, atImport: true })
  process.exit(1)
})
process.on('uncaughtException', (error) => {
  fail({ problem: 'throws from a callback', error, atImport: true })
  process.exit(1)
})
process.on('exit', (code) => {
  // What Node exits with where nothing is left that could settle a top-level await.
  if (code === 13) return fail({ problem: 'awaits what never settles', atImport: true })
  // It is told from within `process.exit`, so that the stack is that of its caller.
  fail({
    problem: `ends the process, with exit code ${code}`,
    error: new Error('process.exit'),
    atImport: true,
  })
})

try {
  await load()
} catch (error) {
  fail(error instanceof LoadFailure ? error.parts : { problem: 'cannot be loaded', error })
}
// Whatever the app has opened would keep the process alive.
process.exit()
