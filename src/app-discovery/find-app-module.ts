/**
 * Where a user's app is: what was asked for, else a variable, else package.json, else the usual places.
 * @module
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { ENV } from '../runtime/config/config.ts'
import { showValue, suggestName } from '../runtime/config/nearest-name.ts'
import { AppDiscoveryError } from './app-discovery-error.ts'

/** A module, and the export that was named. */
export interface AppModule {
  readonly path: string
  /** Absent: the module decides. */
  readonly exportName?: string
}

const stems = ['src/errand', 'errand', 'src/tasks'] as const
const endings = ['.ts', '.tsx', '.mts', '.js', '.mjs'] as const

/**
 * 1. `app`; 2. `ERRAND_APP`; 3. `"errand": { "app": … }` of the nearest package.json; 4. the first there is of
 * `src/errand`, `errand` and `src/tasks`, in `cwd`, then beside that package.json.
 * @throws AppDiscoveryError where none is there
 */
export function findAppModule(
  app: string | undefined,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): AppModule {
  if (app !== undefined) return readPlace(app, cwd, '`app`')
  const variable = env[ENV.app]
  if (variable) return readPlace(variable, cwd, ENV.app)
  const manifest = findUp('package.json', cwd)
  const named = manifest === undefined ? undefined : appOfManifest(manifest)
  if (manifest !== undefined && named !== undefined) {
    return readPlace(named, dirname(manifest), `\`errand.app\` of ${manifest}`)
  }
  const folders = new Set([cwd, ...(manifest === undefined ? [] : [dirname(manifest)])])
  for (const folder of folders) {
    for (const stem of stems) {
      const path = endings.map((ending) => join(folder, stem + ending)).find(isFile)
      if (path !== undefined) return { path: realpathSync(path) }
    }
  }
  throw new AppDiscoveryError(
    `no app was found: there is no ${stems.join(', ')} (${endings.join(', ')}) in ${[...folders].join(' or ')}; ` +
      `say where the module is that exports the executor: the option \`app\` (\`--app path:export\`), the variable ${ENV.app}, or \`"errand": { "app": "src/app.ts" }\` in package.json`,
  )
}

/** An identifier behind the last colon names an export; Windows' drives have a path there. */
const exportEnding = /^(.+):([\p{ID_Start}$_][\p{ID_Continue}$]*)$/su

function readPlace(place: unknown, folder: string, source: string): AppModule {
  if (typeof place !== 'string' || place === '') {
    throw new AppDiscoveryError(
      `${source} is ${showValue(place)}, expected the path of a module, or path:export, as "src/app.ts:executor"`,
    )
  }
  const whole = resolve(folder, place)
  if (isFile(whole)) return { path: realpathSync(whole) }
  const [, file = place, exportName] = exportEnding.exec(place) ?? []
  const path = resolve(folder, file)
  if (!isFile(path)) throw notThere(path, place, source)
  return { path: realpathSync(path), ...(exportName !== undefined && { exportName }) }
}

function notThere(path: string, place: string, source: string): AppDiscoveryError {
  const begin = `${source} is ${showValue(place)}`
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    return new AppDiscoveryError(
      `${begin}, and ${path} is a folder; name the module in it that exports the executor, as ${showValue(join(place, 'errand.ts'))}`,
    )
  }
  const folder = dirname(path)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    return new AppDiscoveryError(`${begin}, but there is no folder ${folder}; correct the path`)
  }
  const modules = readdirSync(folder).filter((name) => /\.[cm]?[jt]sx?$/.test(name))
  return new AppDiscoveryError(
    `${begin}, but there is no file ${path}; ${suggestName(basename(path), modules)} in ${relative(process.cwd(), folder) || '.'}`,
  )
}

function appOfManifest(path: string): unknown {
  let manifest: unknown
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new AppDiscoveryError(
      `${path} cannot be read (see cause), so it is not known whether it names an app`,
      {
        cause,
      },
    )
  }
  const { errand } = (manifest ?? {}) as { errand?: { app?: unknown } }
  return errand?.app
}

function findUp(name: string, folder: string): string | undefined {
  const path = join(folder, name)
  if (isFile(path)) return path
  const parent = dirname(folder)
  return parent === folder ? undefined : findUp(name, parent)
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}
