/**
 * What a page loads: small, of nothing else, and the example's copy of it is the newest.
 * @module
 */
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { expect, test } from 'vitest'
import { root } from '../support/source-files.ts'

const MAX_BYTES = 2048

async function bundle(options: BuildOptions) {
  const { metafile, outputFiles } = await build({
    entryPoints: ['src/browser/index.ts'],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
    ...options,
  })
  return { inputs: Object.keys(metafile?.inputs ?? {}), text: outputFiles?.[0]?.text ?? '' }
}

test(`errand/browser has at most ${MAX_BYTES} bytes, minified and compressed`, async () => {
  const { inputs, text } = await bundle({ minify: true })
  const bytes = gzipSync(text).length
  expect(inputs.filter((path) => !path.startsWith('src/browser/'))).toEqual([])
  expect(text).toContain('text/event-stream')
  expect(bytes, `it has ${bytes} bytes, ${text.length} before compression`).toBeLessThanOrEqual(MAX_BYTES)
})

test('the page of the flights example loads a copy of it: `npx vitest run browser-bundle -u` renews it', async () => {
  const { text } = await bundle({})
  await expect(text).toMatchFileSnapshot('../../examples/flights/page/follow.js')
})
