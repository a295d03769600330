/**
 * One temporary folder for a whole run, removed at its end: the CDK leaves an assembly behind for each app that has no
 * `outdir`, DynamoDB Local a library for each start, and what is killed whatever it had.
 * @module
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Vitest's global set-up: every process of the run takes its temporary files from `TMPDIR`, and what Node made of the
 * sources from a cache there: to strip their types anew takes a third of what a process needs to start. Returns what
 * ends it.
 */
export default function useTemporaryFolder(): () => void {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'errand-tests-'))
  process.env.TMPDIR = folder
  process.env.NODE_COMPILE_CACHE = join(folder, 'compile-cache')
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
