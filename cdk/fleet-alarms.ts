/**
 * The alarms of a fleet: on what waits too long, what nobody could deliver, and functions that fail or are throttled.
 * @module
 */
import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { METRICS_NAMESPACE, totalDimensions } from '../src/runtime/config/metric-names.ts'
import type { AlarmThresholds } from './fleet-props.ts'
import type { FleetQueue } from './fleet-queues.ts'
import { refusal } from './refusal.ts'

const defaults: Required<AlarmThresholds> = {
  oldestMessageSeconds: 3600,
  undeliverable: 1,
  workerErrors: 1,
  throttles: 10,
  deadLetters: 1,
}

/** What alarms watch. */
export interface WatchedFleet {
  readonly app: string
  /** The fleet's name. */
  readonly name: string
  readonly queues: readonly FleetQueue[]
  /** The workers' functions and the dead letters', by the names that alarms have. */
  readonly functions: ReadonlyMap<string, LambdaFunction>
}

/**
 * Makes the alarms.
 * @throws InvalidOptionError where a threshold is no number over 0
 */
export function makeAlarms(
  parent: Construct,
  fleet: WatchedFleet,
  thresholds: AlarmThresholds,
  topic: ITopic | undefined,
): readonly Alarm[] {
  const scope = new Construct(parent, 'Alarms')
  const { oldestMessageSeconds, undeliverable, workerErrors, throttles, deadLetters } = checked(
    parent,
    thresholds,
  )
  const alarm = (id: string, metric: IMetric, threshold: number, what: string, periods = 1) =>
    new Alarm(scope, id, {
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // A function that is not invoked, and a queue that sleeps, report nothing.
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `errand ${fleet.app}: ${what}`,
    })
  const made = [
    alarm('Undeliverable', undeliverableMetric(fleet), undeliverable, 'calls that SQS gave up on'),
    ...fleet.queues.flatMap(({ name, queue, deadLetterQueue }) => [
      alarm(
        `Oldest-${name}`,
        queue.metricApproximateAgeOfOldestMessage({ period, statistic: Stats.MAXIMUM }),
        oldestMessageSeconds,
        `the oldest message of queue ${name} waits too long: too few workers, or none that works`,
      ),
      ...(deadLetterQueue === undefined
        ? []
        : [
            alarm(
              `DeadLetters-${name}`,
              deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
              deadLetters,
              `dead letters of queue ${name} are not ended: see the log of the dead-letter function`,
              3,
            ),
          ]),
    ]),
    ...[...fleet.functions].flatMap(([name, watched]) => [
      alarm(
        `Errors-${name}`,
        watched.metricErrors({ period }),
        workerErrors,
        `${name} crashed or ran out of time`,
      ),
      alarm(`Throttles-${name}`, watched.metricThrottles({ period }), throttles, `${name} is throttled`),
    ]),
  ]
  if (topic !== undefined) for (const each of made) each.addAlarmAction(new SnsAction(topic))
  return made
}

const period = Duration.minutes(5)

function undeliverableMetric({ app, name }: WatchedFleet): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName: 'Undeliverable',
    dimensionsMap: totalDimensions(app, name),
    statistic: Stats.SUM,
    period,
  })
}

function checked(scope: Construct, thresholds: AlarmThresholds): Required<AlarmThresholds> {
  for (const [name, value] of Object.entries(thresholds)) {
    if (value === undefined || (typeof value === 'number' && value > 0)) continue
    throw refusal(
      scope,
      `\`alarms.${name}\` is ${value}, expected a number over 0; \`alarms: false\` makes none`,
    )
  }
  return { ...defaults, ...thresholds }
}
