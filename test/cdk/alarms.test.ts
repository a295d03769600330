/**
 * The alarms of a fleet.
 * @module
 */
import { Template } from 'aws-cdk-lib/assertions'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, test } from 'vitest'
import { apps, fleetTemplate, resourceOf, resourcesOf, stackFleet } from './synthesized-fleet.ts'

const template = fleetTemplate()
const alarm = (name: string, of = template) =>
  resourceOf(of, 'AWS::CloudWatch::Alarm', `JobsAlarms${name}`).Properties
const refTo = (type: string, start: string) => resourceOf(template, type, start).id

describe('alarms', () => {
  test('watch each queue, each function, and what nobody could deliver', () => {
    const names = [...resourcesOf(template, 'AWS::CloudWatch::Alarm').keys()]
      .map((id) => id.slice(10, -8))
      .sort()
    expect(names).toEqual([
      'DeadLettershighpriority',
      'DeadLetterslowpriority',
      'DeadLettersorders',
      'Errorsdeadletters',
      'Errorsworkerbar',
      'Errorsworkerfoo',
      'Oldesthighpriority',
      'Oldestlowpriority',
      'Oldestorders',
      'Throttlesdeadletters',
      'Throttlesworkerbar',
      'Throttlesworkerfoo',
      'Undeliverable',
    ])
  })

  test('ring at what is there, and not at silence', () => {
    for (const { Properties } of resourcesOf(template, 'AWS::CloudWatch::Alarm').values()) {
      expect(Properties).toMatchObject({
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        TreatMissingData: 'notBreaching',
        Period: 300,
      })
      expect(Properties.AlarmName).toBeUndefined()
      expect(Properties.AlarmActions).toBeUndefined()
    }
  })

  test('have the metrics that AWS and the handlers emit', () => {
    expect(alarm('Undeliverable')).toMatchObject({
      Namespace: 'errand',
      MetricName: 'Undeliverable',
      Dimensions: [
        { Name: 'App', Value: 'shop' },
        { Name: 'Fleet', Value: { 'Fn::Join': ['', [{ Ref: 'AWS::StackName' }, '/Jobs']] } },
      ],
      Statistic: 'Sum',
      Threshold: 1,
    })
    expect(alarm('Oldestorders')).toMatchObject({
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateAgeOfOldestMessage',
      Dimensions: [
        {
          Name: 'QueueName',
          Value: { 'Fn::GetAtt': [refTo('AWS::SQS::Queue', 'JobsQueuesordersQueue'), 'QueueName'] },
        },
      ],
      Threshold: 3600,
    })
    expect(alarm('DeadLettersorders')).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [
        { Value: { 'Fn::GetAtt': [refTo('AWS::SQS::Queue', 'JobsQueuesordersDeadLetters'), 'QueueName'] } },
      ],
      EvaluationPeriods: 3,
      Threshold: 1,
    })
    expect(alarm('Errorsworkerfoo')).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [
        { Name: 'FunctionName', Value: { Ref: refTo('AWS::Lambda::Function', 'JobsWorkersfooFunction') } },
      ],
    })
    expect(alarm('Throttlesdeadletters')).toMatchObject({ MetricName: 'Throttles', Threshold: 10 })
  })

  test('have the thresholds that are given', () => {
    const strict = fleetTemplate({ app: apps.small, alarms: { oldestMessageSeconds: 60, throttles: 1 } })
    expect(alarm('Oldestdefault', strict).Threshold).toBe(60)
    expect(alarm('Throttlesworkerworker1', strict).Threshold).toBe(1)
    expect(alarm('Undeliverable', strict).Threshold).toBe(1)
  })

  test('tell a topic', () => {
    const { stack } = stackFleet((scope) => ({ app: apps.small, alarmTopic: new Topic(scope, 'Topic') }))
    const told = [...resourcesOf(Template.fromStack(stack), 'AWS::CloudWatch::Alarm').values()]
    for (const { Properties } of told)
      expect(Properties.AlarmActions).toEqual([{ Ref: expect.stringMatching(/^Topic/) }])
    expect(told.length).toBe(7)
  })

  test('are not made where they are not wanted', () => {
    expect(
      resourcesOf(fleetTemplate({ app: apps.small, alarms: false }), 'AWS::CloudWatch::Alarm').size,
    ).toBe(0)
  })
})
