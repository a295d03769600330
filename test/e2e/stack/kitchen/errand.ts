/**
 * The kitchen, as it is deployed first.
 * @module
 */
import { createExecutor } from 'errand'
import { config } from './errand.config.ts'
import { tasks } from './tasks.ts'

/** The app. */
export const executor = createExecutor(config, { tasks })
