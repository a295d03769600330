/**
 * The app whose worker is measured: one task that does next to nothing.
 * @module
 */
import { createExecutor, defineConfig } from 'errand'

const config = defineConfig({ name: 'bench-cold-start' })

/** What its construct deploys. */
export const executor = createExecutor(config, { tasks: { add: (a: number, b: number) => a + b } })
