/**
 * The words of the commands that look at a fleet.
 * @module
 */
import { type Command, Option } from 'commander'
import { runs } from './command-action.ts'
import { inspected } from './inspected.ts'

/** Adds them. */
export function addLookingCommands(program: Command): void {
  const status = program
    .command('status')
    .description('ask every worker whether it is there')
    .addHelpText('after', '\nExits with 1 where one does not answer.\n\nExample:\n  $ errand status --json')
  runs(status, async () => (await import('./commands/status.ts')).status)

  const inspect = program
    .command('inspect')
    .description('show what runs, what waits, and what workers and queues hold')
    .argument('<what>', inspected.join(', '))
    .option('--queue <name>', 'of this queue')
    .option('--task <name>', 'of this task')
    .addOption(new Option('--state <state...>', 'in one of these states (calls)'))
    .option('--since <time>', 'submitted since: a date, or 30s, 10m, 2h, 7d ago')
    .option('--size <count>', 'how many calls at most, 1–100 (default: 50)')
    .option('--after <next>', 'the page that follows: the `next` of the one before')
    .addHelpText(
      'after',
      '\nExamples:\n  $ errand inspect active\n  $ errand inspect calls --state failed --since 1h --json',
    )
  runs(inspect, async () => (await import('./commands/inspect.ts')).inspect)

  const monitor = program
    .command('monitor')
    .alias('flower')
    .description('show what runs, waits and failed, on a page of this machine')
    .option('--port <port>', 'where it listens, on 127.0.0.1; 0 takes a free one (default: 5555)')
    .option('--manage', 'let it cancel, retry, pause and purge too')
    .addHelpText('after', '\nThe printed address holds a token.\n\nExample:\n  $ errand monitor --manage')
  runs(monitor, async () => (await import('./commands/monitor.ts')).monitor)

  const result = program
    .command('result')
    .description('show how a call ended')
    .argument('<id>', 'the call')
    .option('--wait [seconds]', 'wait until it has ended, for so long at most')
    .addHelpText(
      'after',
      '\nExits with 1 where it failed, was cancelled, or has not ended.\n\nExample:\n  $ errand result 0192f0c1-… --wait 30',
    )
  runs(result, async () => (await import('./commands/result.ts')).result)
}
