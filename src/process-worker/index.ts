/**
 * `errand/worker`: a worker as a process of its own, in any container.
 * @module
 */
export { type ProcessWorker, type ProcessWorkerOptions, startProcessWorker } from './process-worker.ts'
