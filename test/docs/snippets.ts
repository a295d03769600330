/**
 * The code in README.md and docs/: extracted, so that it is compiled and run as any other.
 *
 * A comment right before a block says what it is:
 * - `<!-- snippet: run -->`: it is run; what it prints is what its `// → …` comments say, line by line. `…` in such a
 *   comment stands for anything.
 * - `<!-- snippet: continues -->`: it goes on where the block before it stopped.
 * - `<!-- snippet: file errand.ts -->`: the later blocks of the same page import it as `./errand.ts`.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lineAt, pathsUnder, root } from '../support/source-files.ts'

/** A block, or several that continue each other: one module. */
export interface Snippet {
  readonly page: string
  readonly line: number
  readonly run: boolean
  /** The module's path within the folder of snippets. */
  readonly path: string
  readonly code: string
  /** The lines it says that it prints. */
  readonly prints: readonly string[]
}

/** The pages whose code is compiled. */
export const pages: readonly string[] = ['README.md', ...pathsUnder('docs', '.md')]

const block = /^(?:<!-- snippet: (?<words>[^\n]*?) -->\n+)?```ts\n(?<code>[\s\S]*?)^```$/gm

/** All snippets of a page, in their order. */
export function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8')
  const folder = page.replace(/^.*\/|\.md$/g, '')
  const snippets: Snippet[] = []
  for (const match of text.matchAll(block)) {
    const { words = '', code = '' } = match.groups ?? {}
    const line = lineAt(text, match.index)
    const previous = snippets.at(-1)
    const file = /file (\S+)/.exec(words)?.[1] ?? `line-${line}.ts`
    if (words.includes('continues') && previous !== undefined) {
      snippets[snippets.length - 1] = extended(previous, code, words)
    } else {
      const empty = { page, line, run: false, path: `${folder}/${file}`, code: '', prints: [] }
      snippets.push(extended(empty, code, words))
    }
  }
  return snippets
}

function extended(snippet: Snippet, code: string, words: string): Snippet {
  const prints = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, shown = '']) => shown.trim())
  return {
    ...snippet,
    run: snippet.run || words.includes('run'),
    code: snippet.code + code,
    prints: [...snippet.prints, ...prints],
  }
}

/** Whether a printed line is what a comment says. */
export function isShown(printed: string, shown: string): boolean {
  const parts = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(printed)
}
