/**
 * The stack of the flights example: what it has beside its fleet, and what cdk-nag finds in all of it.
 * @module
 */
import { App, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, test } from 'vitest'
import { FlightsStack } from '../../cdk/flights-stack.ts'
import { allowedCells, ofCalls } from './granted-cells.ts'
import { resourceOf, resourcesOf } from './synthesized-fleet.ts'

// The web app's own bundle is made and run by `npm run test:e2e`.
const context = { 'aws:cdk:bundling-stacks': [] }
const app = new App({ analyticsReporting: false, builtinCloudFormationValidation: false, context })
const stack = new FlightsStack(app, 'Flights')
const { config } = stack.fleet
const template = Template.fromStack(stack)

test('it has a function for each worker of the config, the dead letters, the monitor, and the web app', () => {
  const functions = [...resourcesOf(template, 'AWS::Lambda::Function').values()]
  const workers = functions.flatMap(({ Properties }) => Properties.Environment.Variables.ERRAND_WORKER ?? [])
  expect(workers.sort()).toEqual([...config.workers.keys()].sort())
  expect(functions).toHaveLength(workers.length + 3)
})

test('the web app and the monitor are asked with a signature of IAM only, and the web app streams', () => {
  const urls = [...resourcesOf(template, 'AWS::Lambda::Url').values()]
  const modes = urls.map(({ Properties }) => [Properties.AuthType, Properties.InvokeMode])
  expect(modes.sort()).toEqual([
    ['AWS_IAM', undefined],
    ['AWS_IAM', 'RESPONSE_STREAM'],
  ])
  expect(resourcesOf(template, 'AWS::Lambda::Permission').size).toBe(0)
})

test('it makes a report every night', () => {
  const [nightly, ...others] = [...resourcesOf(template, 'AWS::Scheduler::Schedule').values()]
  expect(others).toEqual([])
  expect(nightly?.Properties).toMatchObject({
    Name: 'nightly',
    ScheduleExpression: 'cron(0 2 * * ? *)',
    ScheduleExpressionTimezone: 'America/New_York',
    State: 'ENABLED',
  })
})

describe('the web app', () => {
  test('may submit, read and cancel, and write its log', () => {
    const table = 'FleetTable'
    expect(allowedCells(template, 'WebRole')).toEqual([
      ...['BatchGetItem', 'GetItem'].map((action) => `dynamodb:${action} on ${table}`),
      `dynamodb:PutItem on ${table}${ofCalls}`,
      `dynamodb:Query on ${table}/index/failed`,
      `dynamodb:UpdateItem on ${table}${ofCalls}`,
      ...['CreateLogStream', 'PutLogEvents'].map((action) => `logs:${action} on WebLogs`),
      ...[...config.queues.keys()]
        .map((queue) => `sqs:SendMessage on FleetQueues${queue.replaceAll(/\W/g, '')}Queue`)
        .sort(),
    ])
  })

  test('knows the fleet by its variables, and is deployed after the workers', () => {
    const { Properties, DependsOn = [] } = resourceOf(template, 'AWS::Lambda::Function', 'Web')
    expect(Object.keys(Properties.Environment.Variables)).toEqual(
      expect.arrayContaining(['ERRAND_TABLE', 'ERRAND_QUEUE_URLS', 'ERRAND_VERSION']),
    )
    const workers = [...resourcesOf(template, 'AWS::Lambda::Function').keys()].filter((id) =>
      id.startsWith('FleetWorkers'),
    )
    expect(DependsOn).toEqual(expect.arrayContaining(workers))
  })
})

describe("cdk-nag's AwsSolutions", () => {
  test('finds nothing, and nothing is acknowledged but what CloudWatch leaves no choice about, and a dead-letter queue', () => {
    const { violations } = new AwsSolutionsChecks(stack).validateScope(stack)
    const findings = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
    )
    expect(findings).toEqual([])
    const acknowledged = stack.node
      .findAll()
      .flatMap(({ node }) => node.metadata)
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    expect(acknowledged.flatMap(({ data }) => Object.keys(data as object))).toEqual([
      expect.stringMatching(/AwsSolutions-SQS3$/),
      expect.stringMatching(/AwsSolutions-IAM5\[Resource::\*\]$/),
    ])
  })
})
