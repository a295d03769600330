/**
 * What a command does, apart from its words.
 * @module
 */
import type { Command } from 'commander'
import type { SharedOptions } from './connection.ts'
import type { Screen } from './output/screen.ts'

/** What a command does: it writes to the screen, and says what to exit with. */
export type Action<Options> = (
  screen: Screen,
  options: SharedOptions & Options,
  ...words: string[]
) => Promise<number>

/** Has a command load what it does when it is run. */
export function runs<Options>(command: Command, load: () => Promise<Action<Options>>): Command {
  return command.action(async (...given: unknown[]) => {
    // Commander gives the arguments, then the options, then the command.
    const words = given
      .slice(0, -2)
      .flat()
      .filter((word) => word !== undefined) as string[]
    const [action, { createScreen }] = await Promise.all([load(), import('./output/screen.ts')])
    process.exitCode = await action(createScreen(), command.optsWithGlobals(), ...words)
  })
}
