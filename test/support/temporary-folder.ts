/**
 * One temporary folder for a whole run, removed at its end: the CDK leaves an assembly behind for each app that has no
 * `outdir`, DynamoDB Local a library for each start, and what is killed whatever it had.
 * @module
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Vitest's global set-up: every process of the run takes its temporary files from `TMPDIR`. Returns what ends it. */
export default function useTemporaryFolder(): () => void {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'errand-tests-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
