/**
 * `errand schedule`: runs a schedule now, pauses it, or resumes it.
 * @module
 */
import { showValue, suggestName } from '../../runtime/config/nearest-name.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'

const actions = ['run', 'pause', 'resume'] as const

/** Does it. */
export async function schedule(
  screen: Screen,
  options: SharedOptions,
  action: string,
  name: string,
): Promise<number> {
  if (!actions.includes(action as (typeof actions)[number])) {
    throw new UsageError(
      `schedule does nothing that is called ${showValue(action)}; ${suggestName(action, actions)}`,
    )
  }
  return connected(options, screen.say, async ({ schedules }) => {
    if (action === 'run') {
      const { id } = await schedules.run(name)
      if (options.json) screen.json({ schedule: name, id })
      else screen.line(id)
      return EXIT.ok
    }
    const isPaused = action === 'pause'
    await schedules[isPaused ? 'pause' : 'resume'](name)
    if (options.json) screen.json({ schedule: name, paused: isPaused })
    else
      screen.line(
        isPaused ? `paused ${name}: it fires no more` : `resumed ${name}: it fires at its next due time`,
      )
    return EXIT.ok
  })
}
