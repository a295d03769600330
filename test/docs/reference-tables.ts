/**
 * What reference tests compare: the tables of the pages, and what the sources declare.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { readSource, root, type SyntaxNode } from '../support/source-files.ts'

/** The text of a file of the checkout. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The cells of a table's rows below a heading, by what stands in backticks in the first. */
export function rowsBelow(page: string, heading: string): Map<string, string[]> {
  const text = textOf(page)
  const from = text.indexOf(`\n${heading}\n`)
  expect(from, `${page} has no heading "${heading}"`).toBeGreaterThanOrEqual(0)
  const section = text.slice(from + heading.length + 2).split(/^#/m)[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.map((row) => {
      const cells = row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim())
      return [/^`([^`]+)`/.exec(cells[0] ?? '')?.[1] ?? '', cells]
    }),
  )
}

/** The names that an interface declares. */
export function membersOf(path: string, name: string): string[] {
  const body = readSource(path).tree.body as readonly SyntaxNode[]
  const declared = body
    .map((node) => (node.declaration ?? node) as SyntaxNode)
    .find((node) => node.type === 'TSInterfaceDeclaration' && (node.id as { name?: string }).name === name)
  const members = (declared?.body as { body?: readonly { key: { name: string } }[] } | undefined)?.body ?? []
  return members.map(({ key }) => key.name)
}

/** The names that an interface declares, each with the `@default` of its docstring, or `required`. */
export function defaultsOf(path: string, name: string): Map<string, string> {
  const [, body = ''] = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(textOf(path)) ?? []
  const documented = body.matchAll(/\/\*\*(?<text>[\s\S]*?)\*\/\s*readonly (?<option>\w+)(?<optional>\??):/g)
  return new Map(
    [...documented].map(({ groups: { text = '', option = '', optional = '' } = {} }) => {
      const [, value = ''] = /@default ([\s\S]*)/.exec(text) ?? []
      const plain = value
        .replaceAll(/\s*\n\s*\*\s*/g, ' ')
        .replaceAll('`', '')
        .trim()
      return [option, optional === '?' ? plain : 'required']
    }),
  )
}
