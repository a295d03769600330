/**
 * `npm run test:e2e`: the synthesised stack, executed. Not part of `npm test`, since it installs AWS's runtime client from
 * the registry, and waits for real visibility times.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import base from '../../../vitest.config.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export default defineConfig({
  ...base,
  root: path('../../..'),
  test: {
    include: ['test/e2e/stack/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: [path('install-runtime-client.ts')],
    // One stack at a time: what one file measures and waits for must not depend on another's load.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
})
