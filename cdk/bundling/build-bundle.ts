/**
 * The program that builds a worker bundle, in a process of its own, since esbuild's plugins cannot be waited for and
 * a construct cannot but wait.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { BuildFailure, BuildOptions, Message, Metafile } from 'esbuild'
import { loadEsbuild, readRequest, writeAnswer } from '../../src/app-discovery/index.ts'
import { type BuiltInOptions, builtInsAtNeed, needsAnyName } from './built-ins.ts'
import { giveNames } from './common-js-chunks.ts'
import { eagerChunk } from './eager-chunk.ts'
import { type LeanOptions, leanSdk, needsAllSources } from './lean-sdk.ts'
import { nameChunks } from './named-chunks.ts'
import { withoutSchedules } from './without-schedules.ts'

/** What to build. */
export interface BundleRequest {
  /** The app's module. */
  readonly modulePath: string
  /** The text of the entry, whose imports are relative to that module's folder. */
  readonly entry: string
  /** Where paths in the bundle begin: never an absolute one, so that every folder gives the same bytes. */
  readonly root: string
  readonly outdir: string
  /** Where source maps go: not into the asset. */
  readonly mapdir: string
  readonly minify: boolean
  readonly external: readonly string[]
  /** Left out as well, and not there where the worker runs. */
  readonly absent: readonly string[]
  /** Clients of the SDK that errand loads when they are needed, and that are in it; where one is not installed, it is Lambda's own. */
  readonly clients: readonly string[]
  /** Whether the app has schedules, which its functions may be asked for. */
  readonly hasSchedules: boolean
}

/** What stood in the way, and where it is imported. */
export interface BundleProblem {
  readonly text: string
  /** `src/tasks.ts:3` */
  readonly importer?: string
}

/** The files that went into a bundle, and how many bytes of it each is. */
export type BundleInputs = readonly (readonly [path: string, bytes: number])[]

/** What the program answers. */
export type BundleAnswer = { readonly inputs: BundleInputs } | { readonly problems: readonly BundleProblem[] }

/**
 * What CommonJS expects to find, which an ESM file has not. On the global object, since a module of the app may well
 * declare a `require` or a `__dirname` of its own, and nothing minified may collide with them.
 */
const banner = [
  'globalThis.require??=process.getBuiltinModule("node:module").createRequire(import.meta.url);',
  'globalThis.__filename??=import.meta.filename;globalThis.__dirname??=import.meta.dirname;',
].join('')

/** Counts as a file of the app's folder, whose own one of that name would be taken for it. */
const ENTRY = 'errand-worker-entry.ts'

/** Where a bundle may have to hold more than workers need. */
type Leanness = BuiltInOptions & Pick<LeanOptions, 'hasAllSources'>

function optionsOf(request: BundleRequest, { hasAllSources, takesAnyName }: Leanness) {
  const { modulePath, entry, root, outdir, minify, external, absent, clients, hasSchedules } = request
  return {
    stdin: { contents: entry, resolveDir: dirname(modulePath), sourcefile: ENTRY, loader: 'ts' },
    outdir,
    entryNames: 'index',
    chunkNames: 'chunk-[hash]',
    outExtension: { '.js': '.mjs' },
    // What is loaded when it is needed is not read before, and only so can the SDK's modules be shaken.
    splitting: true,
    absWorkingDir: root,
    bundle: true,
    minify,
    // A minified class would call its errors by another name at each deployment, in the store and to who awaits them.
    keepNames: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The SDK's ESM form is a third smaller: the CommonJS one cannot be shaken.
    mainFields: ['module', 'main'],
    external: [...external, ...absent],
    plugins: [
      builtInsAtNeed({ takesAnyName }),
      leanSdk({ clients, hasAllSources }),
      ...(hasSchedules ? [] : [withoutSchedules]),
      eagerChunk,
    ],
    banner: { js: banner },
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'silent',
    write: false,
    metafile: true,
  } as const satisfies BuildOptions
}

type Esbuild = Awaited<ReturnType<typeof loadEsbuild>>

/** Lean, or with more than a worker needs where the SDK or the app would not have it otherwise. */
async function bundle(
  esbuild: Esbuild,
  request: BundleRequest,
  lean: Leanness = { hasAllSources: false, takesAnyName: false },
) {
  try {
    return await esbuild.build(optionsOf(request, lean))
  } catch (error) {
    const hasAllSources = lean.hasAllSources || needsAllSources(error)
    const takesAnyName = lean.takesAnyName || needsAnyName(error)
    if (hasAllSources === lean.hasAllSources && takesAnyName === lean.takesAnyName) throw error
    return bundle(esbuild, request, { hasAllSources, takesAnyName })
  }
}

function problemOf({ text, location }: Message): BundleProblem {
  return location === null ? { text } : { text, importer: `${location.file}:${location.line}` }
}

/** What would end a worker at its start: it imports, before anything runs, what is not there. */
function importsOfAbsent({ inputs, outputs }: Metafile, absent: readonly string[]): BundleProblem[] {
  const isAbsent = ({ path, kind, external }: { path: string; kind: string; external?: boolean }) =>
    external === true && kind !== 'dynamic-import' && absent.some((name) => `${path}/`.startsWith(`${name}/`))
  const kept = Object.values(outputs).flatMap((output) => output.imports.filter(isAbsent))
  const paths = new Set(kept.map(({ path }) => path))
  return Object.entries(inputs).flatMap(([importer, input]) =>
    input.imports
      .filter((each) => isAbsent(each) && paths.has(each.path))
      .map(({ path }) => ({ importer, text: `Absent "${path}"` })),
  )
}

async function build(request: BundleRequest): Promise<BundleAnswer> {
  try {
    const esbuild = await loadEsbuild(request.modulePath)
    const { metafile, outputFiles } = await bundle(esbuild, request)
    const problems = importsOfAbsent(metafile, request.absent)
    if (problems.length > 0) return { problems }
    for (const { name, text } of nameChunks(giveNames(outputFiles, metafile))) {
      writeFileSync(join(name.endsWith('.map') ? request.mapdir : request.outdir, name), text)
    }
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs))
    return { inputs: inputs.map(([path, { bytesInOutput }]) => [path, bytesInOutput]) }
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>
    return { problems: errors?.map(problemOf) ?? [{ text: String(error) }] }
  }
}

const { folder, request } = readRequest<BundleRequest>()
writeAnswer(folder, await build(request))
