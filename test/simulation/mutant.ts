/**
 * A mutant: a break of the protocol, as an edit of the sources.
 * @module
 */
import type { SourceEdit } from './source-edits.ts'

/** One break. */
export interface Mutant {
  readonly name: string
  readonly edits: readonly SourceEdit[]
  /** The mode in which other layers do not hide it. @default full */
  readonly mode?: string
  /**
   * The first seed that finds it, where that is far off. A test run, which can't afford the way there, looks from here on.
   * @default 1
   */
  readonly foundAtSeed?: number
}

/** One edit. */
export function edit(file: string, find: string, replace: string): SourceEdit {
  return { file, find, replace }
}
