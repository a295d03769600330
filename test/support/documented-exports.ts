/**
 * Finds exports without a docstring at their declaration.
 * @module
 */
import { isNode, readSource, type SourceFile, type SyntaxNode, targetOf } from './source-files.ts'

interface Declared {
  readonly file: SourceFile
  readonly node: SyntaxNode
}

/** The names that an entry file exports, as `file: name`, whose declaration has no docstring right above it. */
export function undocumentedExports(entry: string): string[] {
  const missing: string[] = []
  for (const [name, declared] of exportsOf(readSource(entry))) {
    const { file, node } = declared
    // A line for the linter may stand between.
    const above = file.text.slice(0, node.start).replace(/(\s*\/\/ biome-ignore .*)+\s*$/, '')
    if (!/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.test(above)) missing.push(`${file.path}: ${name}`)
  }
  return missing
}

/** The names that an entry file exports. */
export function exportedNames(entry: string): string[] {
  return [...exportsOf(readSource(entry)).keys()]
}

function exportsOf(file: SourceFile): Map<string, Declared> {
  const found = new Map<string, Declared>()
  for (const node of file.tree.body as readonly SyntaxNode[]) {
    const entries =
      node.type === 'ExportAllDeclaration'
        ? [...exportsOf(sourceOf(file, node))]
        : node.type === 'ExportNamedDeclaration'
          ? namedExports(file, node)
          : []
    // Of overloads the first carries the docstring.
    for (const [name, declared] of entries) if (!found.has(name)) found.set(name, declared)
  }
  return found
}

function namedExports(file: SourceFile, node: SyntaxNode): [string, Declared][] {
  if (isNode(node.declaration)) return namesOf(node.declaration).map((name) => [name, { file, node }])
  const specifiers = node.specifiers as readonly { local: { name: string }; exported: { name: string } }[]
  const from = isNode(node.source) ? exportsOf(sourceOf(file, node)) : localDeclarations(file)
  return specifiers.map(({ local, exported }) => {
    const declared = from.get(local.name)
    if (declared === undefined) throw new Error(`${file.path} exports ${local.name}, which is not declared`)
    return [exported.name, declared]
  })
}

function localDeclarations(file: SourceFile): Map<string, Declared> {
  const body = file.tree.body as readonly SyntaxNode[]
  return new Map(body.flatMap((node) => namesOf(node).map((name) => [name, { file, node }] as const)))
}

function namesOf(declaration: SyntaxNode): string[] {
  const declarators = Array.isArray(declaration.declarations) ? declaration.declarations : [declaration]
  return declarators.flatMap(({ id }: { id?: { name?: string } }) =>
    id?.name === undefined ? [] : [id.name],
  )
}

function sourceOf(file: SourceFile, node: SyntaxNode): SourceFile {
  const specifier = (node.source as unknown as { value: string }).value
  const target = targetOf(file.path, specifier)
  if (target === undefined) throw new Error(`${file.path} re-exports the package ${specifier}`)
  return readSource(target)
}
