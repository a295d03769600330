/**
 * CloudFormation's functions in a template, resolved to what was made.
 * @module
 */

/** What names in a template stand for. */
export interface Scope {
  /** By parameter, pseudo parameter or logical id. */
  readonly references: Map<string, string>
  /** By `logicalId.Attribute`. */
  readonly attributes: Map<string, string>
  readonly conditions: Readonly<Record<string, unknown>>
}

type Resolve = (argument: unknown, scope: Scope) => unknown

/** `Ref` to it removes the property. */
const NO_VALUE = 'AWS::NoValue'
const ABSENT = Symbol('AWS::NoValue')

const functions: Readonly<Record<string, Resolve>> = {
  Ref(name, { references }) {
    if (name === NO_VALUE) return ABSENT
    return found(references, String(name), 'Ref')
  },
  'Fn::GetAtt'(argument, { attributes }) {
    const name = Array.isArray(argument) ? argument.join('.') : String(argument)
    return found(attributes, name, 'Fn::GetAtt')
  },
  'Fn::Join'(argument, scope) {
    const [separator, parts] = resolveValue(argument, scope) as [string, string[]]
    return parts.join(separator)
  },
  'Fn::Sub'(argument, scope) {
    const [text, own] = Array.isArray(argument) ? argument : [argument, {}]
    const values = resolveValue(own, scope) as Record<string, string>
    return String(text).replaceAll(/\$\{([^!}]+)\}/g, (_, name: string) => {
      const kind = name.includes('.') ? scope.attributes : scope.references
      return values[name] ?? found(kind, name, 'Fn::Sub')
    })
  },
  'Fn::Select'(argument, scope) {
    const [index, list] = resolveValue(argument, scope) as [number, unknown[]]
    return list[Number(index)]
  },
  'Fn::Split'(argument, scope) {
    const [separator, text] = resolveValue(argument, scope) as [string, string]
    return text.split(separator)
  },
  'Fn::If'(argument, scope) {
    const [condition, yes, no] = argument as [string, unknown, unknown]
    return resolveOne(resolveValue(scope.conditions[condition], scope) === true ? yes : no, scope)
  },
  'Fn::Equals'(argument, scope) {
    const [left, right] = resolveValue(argument, scope) as [unknown, unknown]
    return left === right
  },
  'Fn::Not': (argument, scope) => !(resolveValue(argument, scope) as [boolean])[0],
  'Fn::And': (argument, scope) => (resolveValue(argument, scope) as boolean[]).every(Boolean),
  'Fn::Or': (argument, scope) => (resolveValue(argument, scope) as boolean[]).some(Boolean),
}

function found(values: ReadonlyMap<string, string>, name: string, kind: string): string {
  const value = values.get(name)
  if (value !== undefined) return value
  throw new Error(
    `${kind} ${JSON.stringify(name)}: nothing of this name is made here; known: ${[...values.keys()].join(', ')}`,
  )
}

/**
 * A value of a template with every function in it resolved; what is `AWS::NoValue` is left out.
 * @throws where a function is not known here, or names what was not made
 */
export function resolveValue(value: unknown, scope: Scope): unknown {
  const resolved = resolveOne(value, scope)
  return resolved === ABSENT ? undefined : resolved
}

function resolveOne(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) {
    return value.map((each) => resolveOne(each, scope)).filter((each) => each !== ABSENT)
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [key = '', argument] = entries[0] ?? []
  if (entries.length === 1 && (key === 'Ref' || key.startsWith('Fn::'))) {
    const resolve = functions[key]
    if (resolve === undefined) throw new Error(`${key} is not known here: ${JSON.stringify(value)}`)
    return resolve(argument, scope)
  }
  return Object.fromEntries(
    entries.map(([name, each]) => [name, resolveOne(each, scope)]).filter(([, each]) => each !== ABSENT),
  )
}
