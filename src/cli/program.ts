/**
 * The words of the command line: commands, options and their help.
 * @module
 */
import { Command, CommanderError } from 'commander'
import { PACKAGE_VERSION } from '../runtime/package-version.ts'
import { addControlCommands } from './program-control.ts'
import { addLookingCommands } from './program-looking.ts'
import { addRunningCommands } from './program-running.ts'

const AFTER_HELP = `
Where the fleet is: \`--stack NAME\` for a deployed one; else ERRAND_TABLE and ERRAND_QUEUE_URLS, where they are
set; else the cluster that \`errand cluster\` or \`errand dev\` runs on this machine.

Exit codes: 0 done · 1 failed: a call, a worker that does not answer, an error · 2 what was typed · 3 the app
cannot be loaded · 4 nothing to connect to, or it refuses · 130 and 143 ended by the second Ctrl-C or SIGTERM

Examples:
  $ errand dev -- next dev         workers that reload, and a web app that submits to them
  $ errand cluster                 the declared workers, a process each
  $ errand status --json
  $ errand submit reports.build '"2026-10"' --wait`

/** All commands. */
export function makeProgram(): Command {
  const program = new Command('errand')
    .description('Runs and looks after the workers of an errand app.')
    .option('--app <path[:export]>', 'the app; else ERRAND_APP, package.json, src/errand.ts …')
    .option('--stack <name>', 'a deployed fleet, by its CloudFormation stack')
    .option('--json', 'print JSON')
    .version(PACKAGE_VERSION, '-V, --version', 'print the version')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', AFTER_HELP)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'errand: ')) })
    .exitOverride()
  addRunningCommands(program)
  addLookingCommands(program)
  addControlCommands(program)
  addHelpCommand(program)
  return program
}

/** Commander's own shows the help of all where there is no such command, and does not say so. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .description('display help for a command')
    .argument('[command]', 'one of the commands')
    .addHelpText('after', '\nExample:\n  $ errand help submit')
    .action(async (name?: string) => {
      if (name === undefined) program.help()
      const command = program.commands.find((each) => each.name() === name)
      // As if it had been typed alone: what is unknown is refused, with the nearest name.
      if (command === undefined) await program.parseAsync([name], { from: 'user' })
      else command.help()
    })
}

/** Runs what was typed; sets the exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await makeProgram().parseAsync(argv)
  } catch (error) {
    // Commander has said why, or has shown the help that was asked for.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE
    else process.exitCode = await (await import('./tell-failure.ts')).tellFailure(error)
  }
}

/** `EXIT.usage`, whose module loads more than help needs. */
const USAGE = 2
