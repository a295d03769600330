/**
 * The steps of a page, as of docs/deploy.md from nothing to a synthesised fleet, as a script that a shell can run.
 *
 * - `<!-- step: commands -->` before a block: its lines are run.
 * - `<!-- step: file cdk.json -->`, and `<!-- snippet: file infra.ts -->` as on every page: it is written, in the folder
 *   where the commands before it have gone.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/source-files.ts'

/** Commands to run, or a file to write. */
export type Step = { readonly commands: readonly string[] } | { readonly path: string; readonly text: string }

const block = /^<!-- (?:step|snippet): (?<words>[^\n]*?) -->\n+```\w+\n(?<code>[\s\S]*?)^```$/gm

/** The steps between a heading and the next one. */
export function stepsBelow(heading: string, page = 'docs/deploy.md'): Step[] {
  const text = readFileSync(join(root, page), 'utf8')
  const from = text.indexOf(`\n${heading}\n`)
  if (from < 0) throw new Error(`${page} has no heading "${heading}"`)
  const [section = ''] = text.slice(from + heading.length + 2).split(/^##/m)
  return [...section.matchAll(block)].flatMap(({ groups: { words = '', code = '' } = {} }): Step[] => {
    if (words === 'commands') return [{ commands: code.trimEnd().split('\n') }]
    const [, path] = /^file (\S+)$/.exec(words) ?? []
    return path === undefined ? [] : [{ path, text: code }]
  })
}

/** One script of all steps; it stops at the first that fails. */
export function scriptOf(steps: readonly Step[]): string {
  const lines = steps.map((step) => {
    if ('commands' in step) return step.commands.join('\n')
    return `mkdir -p "$(dirname '${step.path}')"\ncat > '${step.path}' <<'end of file'\n${step.text}end of file`
  })
  return ['set -eu', ...lines].join('\n')
}
