/**
 * The web app of the flights example as Lambda loads it: it submits by name and by type, and holds none of the code that
 * the workers run.
 * @module
 */
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { root } from '../support/source-files.ts'

/** Where the tasks are, what they read, and the executor that ties them together. */
const workersCode = ['errand.ts', 'reports.ts', 'flights.ts'].map((name) => `examples/flights/src/${name}`)

async function bundle(entry: string) {
  const { metafile, outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    mainFields: ['module', 'main'],
    external: [
      'errand/local-emulator',
      '@aws-sdk/client-s3',
      '@aws-sdk/client-lambda',
      '@aws-sdk/client-cloudwatch',
    ],
    logLevel: 'error',
  })
  const kib = Math.round((outputFiles[0]?.contents.length ?? 0) / 1024)
  return { inputs: Object.keys(metafile.inputs), kib }
}

test('holds none of the workers’ code, and nothing of the emulator or the stack', async () => {
  const { inputs, kib } = await bundle('examples/flights/lambda.ts')
  const size = `the bundle has ${kib} KiB`
  expect(inputs, size).toEqual(
    expect.arrayContaining(['examples/flights/src/app.ts', 'src/hono/task-routes.ts']),
  )
  const strangers = inputs.filter(
    (path) =>
      workersCode.includes(path) || /vega|^(cdk|src\/(cli|monitor|local-emulator|testing))\//.test(path),
  )
  expect(strangers, size).toEqual([])
  expect(kib, size).toBeLessThanOrEqual(1024)
})

test('the executor’s bundle holds it: the files are those', async () => {
  const { inputs } = await bundle('examples/flights/src/errand.ts')
  expect(inputs).toEqual(expect.arrayContaining(workersCode))
})
