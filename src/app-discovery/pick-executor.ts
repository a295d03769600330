/**
 * Which export of an app's module is its executor.
 * @module
 */
import { type App, findApp } from '../runtime/app.ts'
import { quoteNames, showValue, suggestName } from '../runtime/config/nearest-name.ts'
import { LoadFailure } from './load-failure.ts'

/** An export, and the app that it is. */
export interface PickedExecutor {
  readonly exportName: string
  readonly isFactory: boolean
  readonly app: App
}

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>

const FACTORY = 'createApp'

/**
 * The export that was named; else `executor`; else the default; else the only executor; else what the factory
 * `createApp` gives. No other function is called: it may be a task.
 * @throws LoadFailure where there is none, or two
 */
export async function pickExecutor(exports: Exports, named: string | undefined): Promise<PickedExecutor> {
  const exportName = named === undefined ? chooseExport(exports) : checkExport(exports, named)
  const value = exports[exportName]
  const isFactory = typeof value === 'function'
  const executor = isFactory ? await callFactory(exportName, value as () => unknown) : value
  const what = isFactory ? `its ${exportName}() gives` : `its export \`${exportName}\` is`
  if (!isExecutor(executor)) {
    throw new LoadFailure({
      problem: `${what} ${showValue(executor)}, expected an executor of createExecutor${isFactory ? ', or a promise of one' : ''}`,
      ...(executor === undefined && !isFactory && { advice: CIRCULAR }),
    })
  }
  return { exportName, isFactory, app: appOf(executor, what) }
}

/** What an export that is `undefined` after its module has run most often comes from. */
export const CIRCULAR =
  'modules that import each other see what is not yet made: let the module of the executor import the tasks, and the tasks never import it; a declared task submits by its own `submit`'

function checkExport(exports: Exports, name: string): string {
  if (Object.hasOwn(exports, name)) return name
  throw new LoadFailure({
    problem: `it has no export ${JSON.stringify(name)}; ${suggestName(name, Object.keys(exports))}`,
  })
}

function chooseExport(exports: Exports): string {
  const preferred = ['executor', 'default'].find((name) => isExecutor(exports[name]))
  if (preferred !== undefined) return preferred
  const executors = Object.keys(exports).filter((name) => isExecutor(exports[name]))
  // One executor under two names is one.
  const [first, ...others] = new Set(executors.map((name) => exports[name]))
  if (first !== undefined && others.length === 0) return executors[0] ?? ''
  if (first !== undefined) {
    throw new LoadFailure({
      problem: `it exports ${executors.length} executors, ${quoteNames(executors)}`,
      advice: `say which: \`app: 'path:${executors[0]}'\`, \`--app path:${executors[0]}\`, or name one of them \`executor\``,
    })
  }
  if (typeof exports[FACTORY] === 'function') return FACTORY
  throw noExecutor(exports)
}

function noExecutor(exports: Exports): LoadFailure {
  const names = Object.keys(exports)
  const exported = names.length === 0 ? 'it exports nothing' : `it exports ${quoteNames(names)}`
  const isUndefined = Object.hasOwn(exports, 'executor') && exports.executor === undefined
  return new LoadFailure({
    problem: isUndefined
      ? 'its export `executor` is undefined'
      : `no executor is among its exports: ${exported}`,
    advice: isUndefined
      ? CIRCULAR
      : `export what createExecutor returns, as \`export const executor = createExecutor(config, { tasks })\`, or a function \`${FACTORY}\` that returns it`,
  })
}

async function callFactory(name: string, factory: () => unknown): Promise<unknown> {
  try {
    return await factory()
  } catch (error) {
    throw new LoadFailure({ problem: `its ${name}() throws`, error, atImport: true })
  }
}

interface ExecutorLike {
  readonly config: { readonly name: string }
}

/** By its shape: it may come from another copy of errand. */
function isExecutor(value: unknown): value is ExecutorLike {
  if (typeof value !== 'object' || value === null) return false
  try {
    const { config, submit, onWorkerStart } = value as Readonly<Record<string, unknown>>
    const name = (config as { name?: unknown } | null | undefined)?.name
    return typeof name === 'string' && typeof submit === 'function' && typeof onWorkerStart === 'function'
  } catch {
    // Exports are the user's: a getter may throw.
    return false
  }
}

function appOf(executor: ExecutorLike, what: string): App {
  const { name } = executor.config
  const app = findApp(name)
  if (app?.config === executor.config) return app
  const again = app === undefined ? 'was closed' : 'is not the last that was made under this name'
  throw new LoadFailure({
    problem: `${what} an executor of ${JSON.stringify(name)} that ${again}`,
    advice:
      app === undefined
        ? 'do not close it while the module is imported'
        : 'two executors of one process need two names; if one is for tests, make it there',
  })
}
