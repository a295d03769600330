/**
 * The words of the commands that change something.
 * @module
 */
import type { Command } from 'commander'
import { runs } from './command-action.ts'

/** Adds them. */
export function addControlCommands(program: Command): void {
  addSubmit(program)
  addCallCommands(program)
  addQueueCommands(program)
  addSchedule(program)
}

function addSubmit(program: Command): void {
  const submit = program
    .command('submit')
    .description('submit a call')
    .argument('<task>', 'its name')
    .argument('[args...]', 'its arguments, each as JSON')
    .option('--wait [seconds]', 'wait for the result, for so long at most')
    .option('--queue <name>', 'to this queue')
    .option('--delay <span>', 'not before so long from now: 90, 10m, 2h, 3d')
    .option('--at <moment>', 'not before this moment: 2026-10-01T12:00:00Z')
    .option('--expires <when>', 'not begun later than this: a span, or a moment')
    .option('--key <key>', 'idempotency key: the same key is the same call')
    .option('--tenant <tenant>', 'whose call it is')
    .option('--id <id>', 'once more, where an error says that it may not have been sent')
    .addHelpText(
      'after',
      `
--wait takes the word behind it for seconds: write it last, or -- before the arguments.

Examples:
  $ errand submit add 1 2 --wait
  $ errand submit reports.build '{"month":"2026-10"}' --queue low-priority --key report-2026-10
  $ errand submit add --wait -- 1 2`,
    )
  runs(submit, async () => (await import('./commands/submit.ts')).submit)
}

function addCallCommands(program: Command): void {
  const cancel = program
    .command('cancel')
    .description('cancel a call that does not run')
    .argument('<id>', 'the call')
    .addHelpText(
      'after',
      '\nExits with 1 where it runs, or has ended.\n\nExample:\n  $ errand cancel 0192f0c1-…',
    )
  runs(cancel, async () => (await import('./commands/call-control.ts')).cancel)

  const abort = program
    .command('abort')
    .description('cancel a call, or ask the task that runs to stop')
    .argument('<id>', 'the call')
    .option('--reason <text>', 'what the task is told')
    .addHelpText(
      'after',
      "\nThe task sees it within about 10 s, where it heeds its signal.\n\nExample:\n  $ errand abort 0192f0c1-… --reason 'the site is down'",
    )
  runs(abort, async () => (await import('./commands/call-control.ts')).abort)

  const retry = program
    .command('retry')
    .description('run calls that failed again')
    .argument('[id]', 'the call')
    .option('--failed', 'all that failed')
    .option('--queue <name>', 'of those that failed, those of this queue')
    .option('--task <name>', 'of those that failed, those of this task')
    .option('--since <time>', 'of those that failed, those since: a date, or 30s, 10m, 2h, 7d ago')
    .addHelpText(
      'after',
      '\nExamples:\n  $ errand retry 0192f0c1-…\n  $ errand retry --failed --task reports.build --since 1h',
    )
  runs(retry, async () => (await import('./commands/call-control.ts')).retry)
}

function addSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .description('run a schedule now, pause it, or resume it')
    .argument('<action>', 'run, pause, resume')
    .argument('<name>', 'the schedule')
    .addHelpText(
      'after',
      `
Paused, it fires no more; resumed, it fires at its next due time. What is to stay off has enabled: false in the config.

Examples:
  $ errand inspect schedules
  $ errand schedule run nightly
  $ errand schedule pause nightly`,
    )
  runs(schedule, async () => (await import('./commands/schedule.ts')).schedule)
}

function addQueueCommands(program: Command): void {
  const purge = program
    .command('purge')
    .description('delete every message of a queue, and cancel the calls that wait there')
    .argument('<queue>', 'its name')
    .option('--yes', 'do not ask; needed where no terminal is there to ask on')
    .addHelpText('after', '\nExample:\n  $ errand purge low-priority')
  runs(purge, async () => (await import('./commands/queue-control.ts')).purge)

  const pause = program
    .command('pause')
    .description('have the workers take no calls of a queue')
    .argument('<queue>', 'its name')
    .addHelpText('after', '\nIt lasts until `errand resume`.\n\nExample:\n  $ errand pause low-priority')
  runs(pause, async () => (await import('./commands/queue-control.ts')).pause)

  const resume = program
    .command('resume')
    .description('have them take its calls again')
    .argument('<queue>', 'its name')
    .addHelpText('after', '\nExample:\n  $ errand resume low-priority')
  runs(resume, async () => (await import('./commands/queue-control.ts')).resume)
}
