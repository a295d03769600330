/**
 * The words of the commands that run workers.
 * @module
 */
import type { Command } from 'commander'
import { runs } from './command-action.ts'

/** Adds them. */
export function addRunningCommands(program: Command): void {
  const dev = program
    .command('dev')
    .description('run the workers here, reload them when the code changes, and run a command beside them')
    .argument('[command...]', 'after --: gets the variables that lead to the queues, as `next dev`')
    .addHelpText('after', '\nExamples:\n  $ errand dev\n  $ errand dev -- next dev --port 4000')
  runs(withPorts(dev), async () => (await import('./commands/dev.ts')).dev)

  const cluster = program
    .command('cluster')
    .description('run every declared worker here, a process each, on queues and a table in memory')
    .addHelpText(
      'after',
      '\nExamples:\n  $ errand cluster\n  $ errand cluster --sqs-port 9324 --dynamodb-port 8000',
    )
  runs(withPorts(cluster), async () => (await import('./commands/cluster.ts')).cluster)

  const worker = program
    .command('worker')
    .description('run one worker in this process, on the queues of a cluster or of AWS')
    .option('-n, --name <worker>', 'which of the declared workers (default: ERRAND_WORKER, or the only one)')
    .option('--aws', 'take calls from queues of AWS, as in production')
    .addHelpText('after', '\nExamples:\n  $ errand worker -n foo\n  $ errand worker -n foo --stack jobs')
  runs(worker, async () => (await import('./commands/worker.ts')).worker)
}

function withPorts(command: Command): Command {
  return command
    .option('--sqs-port <port>', 'where SQS and S3 listen (default: a free port)')
    .option('--dynamodb-port <port>', 'where DynamoDB listens (default: a free port)')
    .option('--monitor-port <port>', 'where the monitor listens (default: 5555, or a free port)')
    .option('--no-monitor', 'without the monitor')
}
