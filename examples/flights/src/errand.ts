/**
 * The executor: tasks are registered on it and submitted to it.
 * @module
 */
import { createExecutor } from 'errand'
import { config } from '../errand.config.ts'
import * as reports from './reports.ts'

/** Knows `reports.summarise`. The backend is picked by `ERRAND_BACKEND`, and is this process while developing. */
export const executor = createExecutor(config, { tasks: { reports } })
