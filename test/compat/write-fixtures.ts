/**
 * Writes a folder of fixtures: what today's code puts on the wire and into the table. Messages and records outlive
 * deployments, so every version reads the fixtures of all before it. Run it by hand where `wire-formats.test.ts` says
 * that the formats have changed, once they are meant to:
 *
 *     node test/compat/write-fixtures.ts v2
 *
 * A folder that is there is never written again: it says what was sent by code that is out there.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writtenCalls } from './written-calls.ts'
import { writtenBeside, writtenRecords } from './written-records.ts'
import { writtenErrors, writtenIds, writtenValues } from './written-texts.ts'

/** Where the folders are, `v1`, `v2`, … */
export const fixturesFolder = join(import.meta.dirname, 'fixtures')

/** What today's code writes, by the name of the file. */
export async function writtenToday() {
  return {
    calls: await writtenCalls(),
    records: writtenRecords(),
    beside: writtenBeside(),
    values: writtenValues(),
    errors: writtenErrors(),
    ids: writtenIds(),
  }
}

/** One folder's content. */
export type Fixtures = Awaited<ReturnType<typeof writtenToday>>

/** @throws Error where the folder is there already, or is no version's */
export async function writeFixtures(version: string, parent = fixturesFolder): Promise<void> {
  if (!/^v[1-9]\d*$/.test(version))
    throw new Error(`${version} is no version; name the next folder: v1, v2, …`)
  const written = Object.entries(await writtenToday())
  // Not recursive: it throws where the folder is there.
  mkdirSync(join(parent, version))
  for (const [name, content] of written) {
    writeFileSync(join(parent, version, `${name}.json`), `${JSON.stringify(content, null, 2)}\n`)
  }
}

if (import.meta.main) await writeFixtures(process.argv[2] ?? '')
