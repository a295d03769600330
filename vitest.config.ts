import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'
import { PATIENCE } from './test/support/patience.ts'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests exercise the sources under the names that users import; the packed package has a test of its own.
    alias: [
      { find: /^errand$/, replacement: source('./src/index.ts') },
      { find: /^errand\/lambda$/, replacement: source('./src/handlers/index.ts') },
      { find: /^errand\/worker$/, replacement: source('./src/process-worker/index.ts') },
      { find: /^errand\/local-emulator$/, replacement: source('./src/local-emulator/index.ts') },
      { find: /^errand\/hono$/, replacement: source('./src/hono/index.ts') },
      { find: /^errand\/browser$/, replacement: source('./src/browser/index.ts') },
      { find: /^errand\/testing$/, replacement: source('./src/testing/index.ts') },
      { find: /^errand\/otel$/, replacement: source('./src/otel/index.ts') },
      { find: /^errand\/monitor$/, replacement: source('./src/monitor/index.ts') },
      { find: /^errand\/cdk$/, replacement: source('./cdk/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // `npm run test:e2e`: it installs AWS's runtime client, and waits for real visibility times.
    exclude: [...configDefaults.exclude, 'test/e2e/stack/**'],
    globalSetup: 'test/support/temporary-folder.ts',
    typecheck: { enabled: false },
    // One more than the cores: a third of the time goes in waiting for processes and servers. Vitest's own default is one less.
    maxWorkers: availableParallelism() + 1,
    // These end what hangs; how long a test takes is the machine's matter, and no test's result.
    testTimeout: 600_000,
    hookTimeout: 300_000,
    expect: { poll: PATIENCE },
    coverage: { provider: 'v8', include: ['src/**', 'cdk/**'] },
  },
})
