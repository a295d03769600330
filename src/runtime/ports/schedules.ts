/**
 * The port of schedules: whether they fire, and how to stop and start them. That they fire is not its business: on AWS
 * EventBridge Scheduler does it, elsewhere `errand/local-emulator`. `test/conformance/schedule-suite.ts` holds every
 * implementation to it.
 * @module
 */
import type { ResolvedSchedule } from '../config/config.ts'

/** The schedules of one app, as somebody outside sees them. */
export interface Schedules {
  /**
   * Whether it fires; `undefined` where there is none of this name: it was not deployed yet.
   * @throws AccessDeniedError
   */
  isEnabled(schedule: ResolvedSchedule): Promise<boolean | undefined>
  /**
   * Has it fire no more, or fire again. Doing it twice is doing it once.
   * @throws ResourceNotFoundError where there is none of this name; AccessDeniedError
   */
  setEnabled(schedule: ResolvedSchedule, isEnabled: boolean): Promise<void>
}
