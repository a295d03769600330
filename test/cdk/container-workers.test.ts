/**
 * Workers that run in containers: their queues are made, their processes are the user's.
 * @module
 */
import { Template } from 'aws-cdk-lib/assertions'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { describe, expect, test } from 'vitest'
import { allowedCells } from './granted-cells.ts'
import { fleetTemplate, resourceOf, resourcesOf, stackFleet } from './synthesized-fleet.ts'

const mixed = { app: 'test/fixtures/cdk-app/odd-fleets.ts:mixed' }

describe('a worker in containers', () => {
  test('has its queue, and no function', () => {
    const template = fleetTemplate(mixed)
    const long = resourceOf(template, 'AWS::SQS::Queue', 'JobsQueueslongQueue')
    // Short, whatever its time-out: a process in a container renews it while a call runs.
    expect(long.Properties.VisibilityTimeout).toBe(90)
    const functions = [...resourcesOf(template, 'AWS::Lambda::Function').keys()].map((id) => id.slice(0, -8))
    expect(functions.sort()).toEqual(['JobsDeadLettersFunction', 'JobsWorkersquickFunction'])
    // Its dead letters end all the same.
    resourceOf(template, 'AWS::Lambda::EventSourceMapping', 'JobsDeadLettersMappingslong')
  })

  test('is granted what the same worker on Lambda is, and to read and leave notices', () => {
    const { stack, fleet } = stackFleet(mixed)
    fleet.grantWork(
      new Role(stack, 'Own', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') }),
      'long',
    )
    const template = Template.fromStack(stack)
    const onLambda = allowedCells(template, 'JobsWorkersquickRole').filter(
      (cell) => !cell.startsWith('logs:'),
    )
    const inContainers = allowedCells(template, 'Own').map((cell) =>
      cell.startsWith('sqs:SendMessage') ? cell : cell.replace('JobsQueueslongQueue', 'JobsQueuesquickQueue'),
    )
    const notices = inContainers.filter((cell) => !onLambda.includes(cell))
    expect(notices).toEqual([
      expect.stringMatching(/^dynamodb:PutItem on JobsTable if .*LeadingKeys/),
      expect.stringMatching(/^dynamodb:Query on JobsTable if .*LeadingKeys/),
    ])
    expect(onLambda.filter((cell) => !inContainers.includes(cell))).toEqual([])
  })

  test('is no worker that props or grants can reach', () => {
    const { fleet } = stackFleet(mixed)
    expect(() => fleet.worker('long')).toThrow(
      'Shop/Jobs: worker "long" runs in containers, and the fleet makes no function for it; `grantWork` its role',
    )
    expect(() => stackFleet({ ...mixed, workers: { long: {} } })).toThrow(
      'Shop/Jobs: `workers` "long" is given props, and it runs in containers, which the fleet does not make',
    )
  })
})
