/**
 * What the sources declare, as reference tables need it: the options of an interface, the entries of a constant, each with
 * its docstring. Read from the syntax tree, so that a page says what the compiler sees.
 * @module
 */
import { isNode, readSource, type SourceFile, type SyntaxNode } from '../support/source-files.ts'

/** One option of an interface. */
export interface DeclaredOption {
  /** With the names of what it lies in: `local.startWorkers`. */
  readonly name: string
  readonly isRequired: boolean
  /** As a reader needs it: without `readonly`, a union by its members, a type parameter by what it extends. */
  readonly type: string
  /** The docstring's text before its tags, in one line. */
  readonly meaning: string
  /** The text of `@default`; empty where there is none. */
  readonly default: string
}

/** One entry of a constant. */
export interface DeclaredEntry {
  readonly name: string
  /** As it is written. */
  readonly value: string
  readonly meaning: string
}

/**
 * The options that an interface declares, in their order. An option whose type is an object that is written out there and
 * then is followed by that object's own.
 */
export function optionsOf(path: string, name: string): DeclaredOption[] {
  const file = readSource(path)
  const found = declarationOf(file, name)
  if (found?.type !== 'TSInterfaceDeclaration') throw new Error(`${path} declares no interface ${name}`)
  const parameters = (found.typeParameters as { params: readonly TypeParameter[] } | undefined)?.params ?? []
  return membersIn({ file, parameters }, found.body as SyntaxNode, '')
}

/** The names of the interfaces that a file exports, in their order. */
export function exportedInterfaces(path: string): string[] {
  return (readSource(path).tree.body as readonly SyntaxNode[])
    .map((node) => (node.type === 'ExportNamedDeclaration' ? node.declaration : undefined))
    .filter((node) => isNode(node))
    .filter((node) => node.type === 'TSInterfaceDeclaration')
    .map((node) => (node.id as unknown as { name: string }).name)
}

/** The entries of a constant's object, in their order; one that has no docstring shares that of the entry before it. */
export function entriesOf(path: string, name: string): DeclaredEntry[] {
  const file = readSource(path)
  const object = [declarationOf(file, name)?.init].find(isNode)
  const literal = object?.type === 'TSAsExpression' ? (object.expression as SyntaxNode) : object
  if (literal?.type !== 'ObjectExpression') throw new Error(`${path} declares no object ${name}`)
  let meaning = ''
  let from = literal.start
  return (literal.properties as readonly SyntaxNode[]).map((property) => {
    const [key, value] = [property.key as SyntaxNode, property.value as SyntaxNode]
    meaning = docstringIn(file.text.slice(from, property.start)).meaning || meaning
    from = property.end
    return { name: String(key.name), value: file.text.slice(value.start, value.end), meaning }
  })
}

function declarationOf(file: SourceFile, name: string): SyntaxNode | undefined {
  const declared = (file.tree.body as readonly SyntaxNode[]).map((node) =>
    isNode(node.declaration) ? node.declaration : node,
  )
  const each = declared.flatMap((node) => (node.declarations as readonly SyntaxNode[] | undefined) ?? [node])
  return each.find(({ id }) => (id as { name?: string } | undefined)?.name === name)
}

interface TypeParameter {
  readonly name: { readonly name: string }
  readonly constraint: SyntaxNode | null
}

/** Where a type is written. */
interface Scope {
  readonly file: SourceFile
  readonly parameters: readonly TypeParameter[]
}

/** The members of an interface's body, or of an object type. */
function membersIn(scope: Scope, body: SyntaxNode, prefix: string): DeclaredOption[] {
  let from = body.start
  return ((body.body ?? body.members) as readonly SyntaxNode[]).flatMap((member) => {
    const { meaning, tag } = docstringIn(scope.file.text.slice(from, member.start))
    from = member.end
    const name = `${prefix}${(member.key as unknown as { name: string }).name}`
    const type = (member.typeAnnotation as { typeAnnotation: SyntaxNode }).typeAnnotation
    const isObject = type.type === 'TSTypeLiteral'
    const option = {
      name,
      isRequired: member.optional !== true,
      type: isObject ? 'object' : plainType(scope, type),
      meaning,
      default: tag,
    }
    return [option, ...(isObject ? membersIn(scope, type, `${name}.`) : [])]
  })
}

/** The last docstring of what stands before a declaration. */
function docstringIn(text: string): { readonly meaning: string; readonly tag: string } {
  const inner = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text)?.[1] ?? ''
  const line = inner.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim()
  const [meaning = '', tag = ''] = line.split(/\s*@default\s+/)
  return { meaning, tag }
}

function plainType({ file, parameters }: Scope, type: SyntaxNode): string {
  const text = file.text.slice(type.start, type.end)
  const alias = declarationOf(file, text)
  const [parameter] = parameters.filter(({ name }) => name.name === text)
  const known = parameter?.constraint ?? (alias?.typeAnnotation as SyntaxNode | undefined)
  const meant = known === undefined ? text : file.text.slice(known.start, known.end)
  return meant
    .replaceAll('readonly ', '')
    .replaceAll(/Readonly<(Record<[^<>]*(?:<[^<>]*>)?[^<>]*>)>/g, '$1')
    .replaceAll(/\s+/g, ' ')
}
