/**
 * `errand/worker`: a worker as a process of its own, in any container.
 * @module
 */
export { type RunWorkerOptions, runWorker } from './run-worker.ts'
