/**
 * The project's own source files, read as syntax trees: what the architecture test asserts its rules on.
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'vite'

/** The checkout's root folder, with a trailing slash. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A node of the syntax tree, as loosely as walking it needs. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [property: string]: unknown
}

/** One import or re-export, static, dynamic or of a type. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** Erased when types are: it takes no part in what runs. */
  readonly typeOnly: boolean
  /** The path of the file within the checkout, where the import names one of this project. */
  readonly target: string | undefined
}

/** A function with a body, and how many lines it has from its first word to its closing brace. */
export interface FunctionSpan {
  readonly name: string
  readonly line: number
  readonly lines: number
  /** Whether tests are declared in it: such a function is a chapter, not a function. */
  readonly declaresTests: boolean
}

/** One source file. */
export interface SourceFile {
  /** From the checkout's root, with forward slashes: `src/runtime/call/record.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly tree: SyntaxNode
  readonly imports: readonly Import[]
  readonly functions: readonly FunctionSpan[]
}

/** The package's own names (`errand/lambda`), and the sources that they stand for. */
export const ownNames: ReadonlyMap<string, string> = readOwnNames()

/** All TypeScript files under these folders of the checkout; a folder that is not there has none. */
export function sourceFilesUnder(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) => pathsUnder(folder, '.ts')).map(readSource)
}

/** The paths of all files under a folder, with this ending. */
export function pathsUnder(folder: string, ending: string): string[] {
  const found = statSync(join(root, folder), { throwIfNoEntry: false })
  if (found === undefined) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => posix.join(folder, path.replaceAll('\\', '/')))
    .filter((path) => path.endsWith(ending) && !path.includes('node_modules/'))
    .sort()
}

/** The line, from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

/** Every node under `node`, itself included, parents before children. */
export function* nodesOf(
  node: SyntaxNode,
  parents: readonly SyntaxNode[] = [],
): Generator<[SyntaxNode, readonly SyntaxNode[]]> {
  yield [node, parents]
  const below = [...parents, node]
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* nodesOf(child, below)
    }
  }
}

/** Whether a value of a tree is a node. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** The source of a file. */
export function readSource(path: string): SourceFile {
  return parseSource(path, readFileSync(join(root, path), 'utf8'))
}

/** Reads a source text as if it lay at `path`. */
export function parseSource(path: string, text: string): SourceFile {
  const tree = parseAst(text, { lang: 'ts' }) as unknown as SyntaxNode
  const nodes = [...nodesOf(tree)]
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  const imports = nodes.flatMap(([node]) => importOf(path, text, node))
  const functions = nodes.flatMap(([node, parents]) => functionOf(text, node, parents))
  return { path, text, lines, tree, imports, functions }
}

const importing = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
  'TSExternalModuleReference',
])

function importOf(path: string, text: string, node: SyntaxNode): Import[] {
  if (!importing.has(node.type)) return []
  const source = [node.source, node.argument, node.expression].find(isNode)
  if (source === undefined) return []
  const line = lineAt(text, node.start)
  if (typeof source.value !== 'string') {
    return [{ specifier: text.slice(source.start, source.end), line, typeOnly: false, target: undefined }]
  }
  const typeOnly = node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type'
  return [{ specifier: source.value, line, typeOnly, target: targetOf(path, source.value) }]
}

/** The file of this project that an import names, or `undefined`. */
export function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(dirname(path), specifier)
  return ownNames.get(specifier)
}

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
const testWords = new Set(['describe', 'test', 'it', 'bench'])

function functionOf(text: string, node: SyntaxNode, parents: readonly SyntaxNode[]): FunctionSpan[] {
  if (!functionTypes.has(node.type) || !isNode(node.body) || node.body.type !== 'BlockStatement') return []
  const parent = parents.at(-1)
  // A method's value is a function expression that begins at its parentheses: its name belongs to it.
  const whole = parent?.type === 'MethodDefinition' || parent?.type === 'Property' ? parent : node
  const line = lineAt(text, whole.start)
  const declaresTests = [...nodesOf(node.body)].some(([inner]) => callsTestWord(inner))
  return [{ name: nameOf(node, parent), line, lines: lineAt(text, whole.end - 1) - line + 1, declaresTests }]
}

function callsTestWord(node: SyntaxNode): boolean {
  if (node.type !== 'CallExpression') return false
  let callee = node.callee as SyntaxNode
  while (callee.type === 'CallExpression' || callee.type === 'MemberExpression') {
    callee = (callee.type === 'CallExpression' ? callee.callee : callee.object) as SyntaxNode
  }
  return testWords.has(String(callee.name))
}

function nameOf(node: SyntaxNode, parent: SyntaxNode | undefined): string {
  const named = [node.id, parent?.key, parent?.id].find(isNode)
  return typeof named?.name === 'string' ? named.name : '(anonymous)'
}

function readOwnNames(): Map<string, string> {
  const { name, exports } = readPackage()
  const entries = Object.entries(exports).map(([subpath, conditions]) => {
    const source = conditions.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')
    return [posix.join(name, subpath), source] as const
  })
  return new Map(entries)
}

/** What the tests ask of package.json. */
export interface PackageJson {
  readonly name: string
  readonly version: string
  readonly bin?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly engines: Readonly<Record<string, string>>
}

/** The package.json of the checkout. @param path of another */
export function readPackage(path = join(root, 'package.json')): PackageJson {
  return JSON.parse(readFileSync(path, 'utf8'))
}
