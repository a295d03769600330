/**
 * Node's own modules, as a worker takes them. An ESM import of one reads every export it has, and so runs whatever
 * stands behind a lazy getter: for `node:http` that is the whole of undici. Measured on Node 24: 20–28 ms for
 * `import 'node:http'`, 3–5 ms by `process.getBuiltinModule`; 2 to 4 ms each for `fs`, `util` and `process`.
 * @module
 */
import { builtinModules } from 'node:module'
import type { BuildFailure, Plugin } from 'esbuild'
import { importEager } from './eager-chunk.ts'

const names = new Set(builtinModules)

/** What `import` takes. */
const NAMES = 'built-in-names'

/** What `import()` loads, which is a chunk of its own. */
const LATER = 'built-in-later'

/** Whether a chunk is one of Node's modules, of which it exports the `default` alone. */
export function isBuiltIn(entryPoint: string): boolean {
  return entryPoint.startsWith(`${LATER}:`)
}

/** How Node's modules are taken. */
export interface BuiltInOptions {
  /** Whether a name may be imported that the Node which bundles does not know. */
  readonly takesAnyName: boolean
}

/** Whether a build failed since a name is imported that the Node which bundles does not know, and Lambda's may. */
export function needsAnyName(error: unknown): boolean {
  const { errors = [] } = error as Partial<BuildFailure>
  return errors.some(({ text }) => text.includes(`"${NAMES}:`))
}

/**
 * Takes Node's modules by `process.getBuiltinModule`, and of those that are imported the names that are used; what
 * `import()` gives of them has their names all the same (`common-js-chunks.ts`). As CommonJS, which any name can be
 * imported of, each import copies what there is: 4 % of a cold start's instructions.
 */
export function builtInsAtNeed({ takesAnyName }: BuiltInOptions): Plugin {
  return {
    name: 'built-ins-at-need',
    setup(build) {
      build.onResolve({ filter: /^(node:)?[a-z_]/ }, ({ path, kind }) => {
        const name = path.replace(/^node:/, '')
        if (kind === 'entry-point' || (!path.startsWith('node:') && !names.has(name))) return undefined
        const found = { path: `node:${name}`, sideEffects: false }
        if (kind === 'dynamic-import') return { ...found, namespace: LATER }
        return { ...found, namespace: kind === 'import-statement' && !takesAnyName ? NAMES : 'built-in' }
      })
      build.onLoad({ filter: /./, namespace: 'built-in' }, ({ path }) => ({
        contents: `module.exports = ${taken(path)}`,
      }))
      build.onLoad({ filter: /./, namespace: NAMES }, ({ path }) => ({ contents: namesOf(path) }))
      build.onLoad({ filter: /./, namespace: LATER }, ({ path }) => ({
        contents: `${importEager}\nexport default ${taken(path)}`,
      }))
    },
  }
}

function taken(path: string): string {
  return `process.getBuiltinModule(${JSON.stringify(path)})`
}

/** A module of which what is not used can be shaken off. In the order of the alphabet, since each Node has its own. */
function namesOf(path: string): string {
  const all = process.getBuiltinModule(path) ?? {}
  const names = Object.keys(all).filter((name) => name !== 'default')
  return [
    `const all = /* @__PURE__ */ ${taken(path)}, of = (name) => all[name]`,
    'export { all as default }',
    ...names.sort().map((name, index) => {
      const text = JSON.stringify(name)
      return `const $${index} = /* @__PURE__ */ of(${text}); export { $${index} as ${text} }`
    }),
  ].join('\n')
}
