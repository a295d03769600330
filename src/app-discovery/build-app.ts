/**
 * Makes one file of a user's own modules that Node can import, whatever they are written in: `.js` names of `.ts`
 * files, names without an ending, `paths` of a tsconfig, enums, JSX, CommonJS. Packages stay where they are.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Esbuild from 'esbuild'
import { LoadFailure } from './load-failure.ts'

/**
 * esbuild, as errand or the app has it installed.
 * @throws Error of Node where neither has
 */
export async function loadEsbuild(modulePath: string): Promise<typeof Esbuild> {
  try {
    return await import('esbuild')
  } catch {
    return createRequire(modulePath)('esbuild')
  }
}

/**
 * Builds the app's module into `outfile`.
 * @throws LoadFailure, with the place in the code
 */
export async function buildApp(
  modulePath: string,
  outfile: string,
  options: AppBuildOptions = {},
): Promise<void> {
  const esbuild = await loadEsbuild(modulePath).catch((error: unknown) => {
    const advice = 'esbuild is what reads it: `npm i -D esbuild`'
    throw new LoadFailure({ problem: 'cannot be read, for esbuild is not installed', error, advice })
  })
  try {
    await esbuild.build(appBuild(modulePath, outfile, options))
  } catch (error) {
    const { errors } = error as Esbuild.BuildFailure
    if (errors === undefined) throw error
    throw new LoadFailure({ problem: await tellBuildErrors(esbuild, errors) })
  }
}

/** What is wrong with the code, each with its place in it. */
export async function tellBuildErrors(
  esbuild: typeof Esbuild,
  errors: readonly Esbuild.Message[],
): Promise<string> {
  const texts = await esbuild.formatMessages([...errors], { kind: 'error', color: false })
  return `cannot be built:\n${texts.join('').trimEnd()}`
}

/** What differs between builds of an app. */
export interface AppBuildOptions {
  /**
   * The URL of what is to be loaded as `errand`, or `errand/…`: whoever runs tasks must be the copy of errand that the app
   * has. @default what the app has installed
   */
  readonly errandUrl?: (specifier: string) => string | undefined
}

/** What esbuild is told for an app. */
export function appBuild(
  modulePath: string,
  outfile: string,
  { errandUrl = () => undefined }: AppBuildOptions = {},
): Esbuild.BuildOptions {
  return {
    entryPoints: [modulePath],
    outfile,
    absWorkingDir: dirname(modulePath),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: `node${process.versions.node}`,
    // As Node resolves; esbuild's own default would take files that are made for bundlers.
    mainFields: ['main'],
    conditions: ['node-addons', 'module-sync'],
    define: Object.fromEntries(placeWords.map(([word, name]) => [word, name])),
    banner: {
      js: `import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);`,
    },
    plugins: [ownErrand(errandUrl), packagesStay, modulesKnowTheirPlace],
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
  }
}

function ownErrand(urlOf: (specifier: string) => string | undefined): Esbuild.Plugin {
  return {
    name: 'own-errand',
    setup(build) {
      build.onResolve({ filter: /^errand(\/|$)/ }, ({ path }) => {
        const url = urlOf(path)
        return url === undefined ? undefined : { path: url, external: true }
      })
    },
  }
}

const seen = Symbol('resolved by packagesStay')
const typeScript = /\.[cm]?tsx?$|\.jsx$/

/** TypeScript reads it so too, Node would not. */
const OWN_NAME =
  '"errand" is this very module, by the `baseUrl` or `paths` of the tsconfig, not the package; give the module another name, or take `baseUrl` out'

/** Leaves packages to Node, by the path that the importing module resolves them to: the built file lies elsewhere. */
const packagesStay: Esbuild.Plugin = {
  name: 'packages-stay',
  setup(build) {
    const [entry] = build.initialOptions.entryPoints as string[]
    build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, pluginData, ...from }) => {
      if (kind === 'entry-point' || pluginData === seen || /^(data|https?|file):/.test(path)) return undefined
      const { importer, resolveDir } = from
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: seen })
      // Left to esbuild, which knows whether it must be there: in a `try` it need not.
      if (found.errors.length > 0) return undefined
      if (path === 'errand' && found.path === entry) return { errors: [{ text: OWN_NAME }] }
      if (found.external) return { path: found.path, external: true }
      const isPackage = /[\\/]node_modules[\\/]/.test(found.path)
      // A package of the user's monorepo may have no build: Node would not take its TypeScript.
      if (!isPackage || typeScript.test(found.path))
        return { path: found.path, sideEffects: found.sideEffects }
      return {
        path: kind.startsWith('require') ? found.path : pathToFileURL(found.path).href,
        external: true,
      }
    })
    build.onResolve({ filter: /\.node$/ }, ({ path, resolveDir }) => {
      return path.startsWith('.') ? { path: join(resolveDir, path), external: true } : undefined
    })
  },
}

/** What a module calls its own place, and the variable that stands for it: the built file's place is another. */
const placeWords = [
  ['import.meta.url', '$errandUrl'],
  ['import.meta.filename', '$errandFile'],
  ['import.meta.dirname', '$errandFolder'],
  ['__filename', '$errandFile'],
  ['__dirname', '$errandFolder'],
] as const

const loaders: Readonly<Record<string, Esbuild.Loader>> = { t: 'ts', tx: 'tsx', j: 'js', jx: 'jsx' }

const modulesKnowTheirPlace: Esbuild.Plugin = {
  name: 'modules-know-their-place',
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path, namespace }) => {
      if (namespace !== 'file') return undefined
      const text = await readFile(path, 'utf8')
      if (!placeWords.some(([word]) => text.includes(word))) return undefined
      const [, language = 'j', markup = ''] = /\.[cm]?([jt])s(x?)$/.exec(path) ?? []
      const places = `const $errandUrl = ${JSON.stringify(pathToFileURL(path).href)}, $errandFile = ${JSON.stringify(path)}, $errandFolder = ${JSON.stringify(dirname(path))};`
      // In the first line, so that every line keeps its number; behind what only the very beginning may say.
      const [hashbang = ''] = /^#!.*\n/.exec(text) ?? []
      const contents = hashbang === '' ? places + text : hashbang + places + text.slice(hashbang.length)
      return { contents, loader: loaders[language + markup] ?? 'js', resolveDir: dirname(path) }
    })
  },
}
