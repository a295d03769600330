/**
 * The kitchen after a deployment: it knows one task more.
 * @module
 */
import { createExecutor } from 'errand'
import { config } from './errand.config.ts'
import { novelty, tasks } from './tasks.ts'

/** The app. */
export const executor = createExecutor(config, { tasks: { ...tasks, novelty } })
