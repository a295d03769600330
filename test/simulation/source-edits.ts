/**
 * Runs sources that differ from those on disk: an edit is applied while a module is loaded, and only in this process.
 * @module
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

/** One change of a source file. */
export interface SourceEdit {
  /** From the checkout's root: `src/runtime/call/record.ts`. */
  readonly file: string
  /** Text that occurs there exactly once. */
  readonly find: string
  readonly replace: string
}

/** The checkout. */
const root = new URL('../../', import.meta.url)

/**
 * The text of an edited file.
 * @throws Error where the text to be replaced is not there exactly once: the sources have moved on
 */
export function editedSource({ file, find, replace }: SourceEdit, text: string): string {
  const count = text.split(find).length - 1
  if (count === 1) return text.replace(find, () => replace)
  throw new Error(
    `the edit of ${file} does not apply: ${JSON.stringify(find)} occurs ${count} times, expected once; write it anew for the source as it is now`,
  )
}

/** Reads a file of the checkout, and edits it. */
export function readEdited(edit: SourceEdit): string {
  return editedSource(edit, readFileSync(new URL(edit.file, root), 'utf8'))
}

/** Applies edits to what this process loads from now on. */
export function applyEdits(edits: readonly SourceEdit[]): void {
  if (edits.length === 0) return
  const sources = new Map<string, string>()
  for (const edit of edits) {
    const { href } = new URL(edit.file, root)
    const text = sources.get(href) ?? readFileSync(fileURLToPath(href), 'utf8')
    sources.set(href, editedSource(edit, text))
  }
  registerHooks({
    load(url, context, nextLoad) {
      const source = sources.get(url)
      if (source === undefined) return nextLoad(url, context)
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}
