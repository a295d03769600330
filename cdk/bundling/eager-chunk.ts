/**
 * What every call of a worker needs, in one chunk that is loaded with the entry: errand, its backend and DynamoDB's client.
 *
 * errand itself loads its backend and the SDK when they are needed. In a worker that is the first call of each
 * environment, which Lambda gives less CPU than it had while it started; and each file that Node loads costs about a
 * millisecond, whatever is in it. So here these `import()` are imports. And esbuild makes a chunk of the modules that the
 * same entries reach: a part of the SDK that is loaded later would tear out of the eager chunk what it shares with it, into
 * two more for each. It imports the eager chunk as a whole instead, which is there by then.
 *
 * None of it waits at its top level, and nothing of the app is in it: an app that does wait there, for something that is
 * loaded later, would otherwise wait for itself.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import type { Loader, Plugin, PluginBuild } from 'esbuild'
import { errandIndex, isOfErrand } from './errand-files.ts'

const EAGER = 'errand-eager:all'
const INDEX = 'errand-eager:errand'
const BACKEND = 'errand-eager:backend'
/** DynamoDB's client, as far as errand uses it. */
const SDK = 'errand-eager:sdk'

/** For the entry, and for what is loaded later. */
export const importEager = `import ${JSON.stringify(EAGER)}`

/** In the modules of errand that load it when it is needed, what each loads. */
const needed = /\bimport\((['"])(\.\/runtime\/aws\/aws-backend\.[jt]s|@aws-sdk\/client-dynamodb)\1\)/
const loading = /[\\/]src[\\/](index|runtime[\\/]aws[\\/]aws-clients)\.[jt]s$/
const ofSdk = /[\\/]@(aws-sdk|smithy)[\\/]/

/** Puts what every call needs into one chunk. */
export const eagerChunk: Plugin = {
  name: 'eager-chunk',
  setup(build) {
    resolveEager(build)
    const isOurs = isOfErrand(build)
    build.onLoad({ filter: loading }, async ({ path }) => {
      // An app's own `src/index.ts` loads of DynamoDB's client what it likes.
      if (!(await isOurs(path))) return undefined
      const text = await readFile(path, 'utf8')
      const [load, , what = ''] = needed.exec(text) ?? []
      if (load === undefined) return undefined
      const name = what.startsWith('.') ? BACKEND : SDK
      // On its first line, so that the lines of the source map hold.
      const contents = `import * as $eager from ${JSON.stringify(name)};${text.replace(load, 'Promise.resolve($eager)')}`
      return { contents, loader: extname(path).slice(1) as Loader, resolveDir: dirname(path) }
    })
    build.onResolve({ filter: /^(\.|@(aws-sdk|smithy)\/)/ }, async ({ path, kind, importer, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined
      const isKnown = path.startsWith('.') ? await isOurs(importer) : ofSdk.test(importer)
      if (!isKnown) return undefined
      return { path, namespace: 'later', pluginData: resolveDir, sideEffects: false }
    })
    build.onLoad({ filter: /./, namespace: 'later' }, ({ path, pluginData }) => ({
      contents: `${importEager}\nexport * from ${JSON.stringify(path)}`,
      resolveDir: pluginData as string,
    }))
  },
}

function resolveEager(build: PluginBuild): void {
  const resolveDir = build.initialOptions.stdin?.resolveDir ?? '.'
  const indexOf = errandIndex(build)
  build.onResolve({ filter: /^errand-eager:/ }, async ({ path }) => {
    if (path === EAGER) return { path, namespace: 'eager', sideEffects: true }
    const index = await indexOf()
    if (path === INDEX) return { path: index, sideEffects: true }
    // As errand itself finds them: the app need not have them in reach.
    const backend = join(dirname(index), `runtime/aws/aws-backend${extname(index)}`)
    if (path === BACKEND) return { path: backend, sideEffects: true }
    const pluginData = dirname(backend)
    return { path: '@aws-sdk/client-dynamodb', namespace: 'used-of-sdk', pluginData, sideEffects: true }
  })
  build.onLoad({ filter: /./, namespace: 'eager' }, () => ({
    contents: `import ${JSON.stringify(INDEX)}`,
    resolveDir,
  }))
}
