/**
 * Whether a task's own time limit fits the workers that run it. The config holds it against the longest of all workers,
 * since it knows no tasks; here they are known, and the queue that each goes to.
 * @module
 */
import { Annotations } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { DiscoveredApp } from '../src/app-discovery/index.ts'
import { PROTOCOL, type ResolvedWorker } from '../src/runtime/config/config.ts'
import { refusal } from './refusal.ts'

/**
 * Checks each task that has a limit: a worker cuts an attempt at its own time-out, whatever the task's limit is. Warns
 * where some of the queue's workers are too short.
 * @throws InvalidOptionError where all of them are
 */
export function checkTaskLimits(scope: Construct, { config, tasks }: DiscoveredApp): void {
  for (const { name, options, queue } of tasks) {
    const { timeoutSeconds } = options
    if (timeoutSeconds === undefined) continue
    const workers = [...config.workers.values()].filter(({ queues }) => queues.includes(queue))
    const tooShort = workers.filter((worker) => longestAttempt(worker) < timeoutSeconds)
    if (tooShort.length === 0) continue
    const whose = tooShort.map((worker) => `${JSON.stringify(worker.name)} (${longestAttempt(worker)} s)`)
    const what =
      `task ${JSON.stringify(name)}: \`timeoutSeconds\` is ${timeoutSeconds}, and it goes to queue ${JSON.stringify(queue)}, ` +
      `whose ${whose.length === 1 ? 'worker' : 'workers'} ${whose.join(', ')} would cut it short: the time-out less the ${PROTOCOL.attemptReserveSeconds} s for the final write`
    if (tooShort.length === workers.length) {
      throw refusal(
        scope,
        `${what}; raise the worker's \`timeoutSeconds\`, or route the task to another queue`,
      )
    }
    Annotations.of(scope).addWarningV2(
      `errand:task-limit:${name}`,
      `${what}, and others would not; give the queue workers of one time-out, or route the task to another`,
    )
  }
}

function longestAttempt({ timeoutSeconds }: ResolvedWorker): number {
  return timeoutSeconds - PROTOCOL.attemptReserveSeconds
}
