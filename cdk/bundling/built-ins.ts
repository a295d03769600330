/**
 * Node's own modules, as a worker takes them. An ESM import of one reads every export it has, and so runs whatever
 * stands behind a lazy getter: for `node:http` that is the whole of undici. Measured on Node 24: 20–28 ms for
 * `import 'node:http'`, 3–5 ms by `process.getBuiltinModule`; 2 to 4 ms each for `fs`, `util` and `process`.
 * @module
 */
import { builtinModules } from 'node:module'
import type { Plugin } from 'esbuild'
import { importEager } from './eager-chunk.ts'

const names = new Set(builtinModules)

/** Of what `import()` loads, which is a chunk of its own. */
const LATER = 'built-in-later'

/** Whether a chunk is one of Node's modules, of which it exports the `default` alone. */
export function isBuiltIn(entryPoint: string): boolean {
  return entryPoint.startsWith(`${LATER}:`)
}

/**
 * Takes Node's modules by `process.getBuiltinModule`, as CommonJS whose exports are read when they are used; what
 * `import()` gives of them has their names all the same (`common-js-chunks.ts`).
 */
export const builtInsAtNeed: Plugin = {
  name: 'built-ins-at-need',
  setup(build) {
    build.onResolve({ filter: /^(node:)?[a-z_]/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, '')
      if (kind === 'entry-point' || (!path.startsWith('node:') && !names.has(name))) return undefined
      const namespace = kind === 'dynamic-import' ? LATER : 'built-in'
      return { path: `node:${name}`, namespace, sideEffects: false }
    })
    build.onLoad({ filter: /./, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = ${taken(path)}`,
    }))
    build.onLoad({ filter: /./, namespace: LATER }, ({ path }) => ({
      contents: `${importEager}\nexport default ${taken(path)}`,
    }))
  },
}

function taken(path: string): string {
  return `process.getBuiltinModule(${JSON.stringify(path)})`
}
