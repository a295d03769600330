/**
 * `errand/testing`: what users' own tests need, on the emulator and virtual time, under any test runner.
 * @module
 */
export type { FaultSwitches, KillPoint, KillSwitches, Span } from '../local-emulator/index.ts'
export type { TestExecutorOptions } from './private-backend.ts'
export type { RunTaskOptions } from './run-one-task.ts'
export type { SentCall, UnknownFunction } from './sent-calls.ts'
export {
  type KillTimes,
  type TaskMeant,
  type TestExecutor,
  type Times,
  testExecutor,
} from './test-executor.ts'
