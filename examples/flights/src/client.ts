/**
 * What the web app submits with. It knows the tasks by their types alone, so that its bundle holds none of their code;
 * on a laptop `listen.ts` loads the executor as well, whose workers then run in the same process.
 * @module
 */
import { createClient } from 'errand'
import { config } from '../errand.config.ts'
import type { executor } from './errand.ts'

/** Submits by name: `client.map('reports.summarise', …)`. */
export const client = createClient<typeof executor>(config)
