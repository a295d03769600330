/**
 * Imports the file that an app was built into.
 * @module
 */
import { pathToFileURL } from 'node:url'
import { LoadFailure } from './load-failure.ts'
import { CIRCULAR, type Exports } from './pick-executor.ts'

/** What a use of what is not yet made says: by Node, and by esbuild's `var`. */
const notYetMade = /before initialization|of undefined \(reading '(task|submit|map|with|use|onWorker\w+)'\)/

/**
 * What the app exports.
 * @throws LoadFailure where it throws
 */
export async function importApp(outfile: string): Promise<Exports> {
  try {
    return await import(pathToFileURL(outfile).href)
  } catch (error) {
    const isCircular = error instanceof Error && notYetMade.test(error.message)
    const isConfig = (error as { code?: unknown } | null)?.code === 'invalid-option'
    throw new LoadFailure({
      problem: 'throws when it is imported',
      error,
      ...(isCircular && { advice: CIRCULAR }),
      atImport: !isConfig,
    })
  }
}
