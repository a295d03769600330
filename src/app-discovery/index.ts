/**
 * App discovery: finds a user's app and reads its config and tasks, in a process of its own.
 * @module
 */
export { AppDiscoveryError } from './app-discovery-error.ts'
export { loadEsbuild } from './build-app.ts'
export { type DiscoverOptions, discoverApp } from './discover-app.ts'
export type { DiscoveredApp, DiscoveredTask } from './discovered-app.ts'
export { type ProgramOptions, type ProgramRun, readRequest, runProgram, writeAnswer } from './run-program.ts'
