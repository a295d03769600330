/**
 * docs/deploy.md cannot drift from the construct: its props and their defaults, and what each role may do.
 * @module
 */
import { Template } from 'aws-cdk-lib/assertions'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { describe, expect, test } from 'vitest'
import { allowedCells } from '../cdk/granted-cells.ts'
import { resourcesOf, stackFleet, userFunction } from '../cdk/synthesized-fleet.ts'
import { defaultsOf, membersOf, rowsBelow } from './reference-tables.ts'

const page = 'docs/deploy.md'
const props = 'cdk/fleet-props.ts'

describe('the props', () => {
  test.each([
    ['## Props', 'ErrandFleetProps'],
    ['### A worker', 'WorkerProps'],
    ['### Clients', 'ClientAccess'],
    ['### The monitor', 'FleetMonitorProps'],
    ['## Alarms', 'AlarmThresholds'],
  ])('"%s" lists those of %s, with the defaults of their docstrings', (heading, name) => {
    const declared = defaultsOf(props, name)
    expect([...declared.keys()]).toEqual(membersOf(props, name))
    const listed = [...rowsBelow(page, heading)].filter(([row]) => declared.has(row))
    const shown = listed.map(([row, cells]) => [row, cells.at(-1)?.replaceAll('`', '')])
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(declared))
  })
})

const { stack, fleet } = stackFleet()
fleet.addClient(userFunction(stack, 'Submits'), { submit: true })
fleet.addClient(userFunction(stack, 'Reads'), { read: true })
fleet.addClient(userFunction(stack, 'Manages'), { manage: true })
fleet.addClient(userFunction(stack, 'Inspects'), { inspect: true })
fleet.addClient(userFunction(stack, 'Operates'), { operate: true })
fleet.addClient(userFunction(stack, 'Monitors'), { monitor: true })
fleet.grantWork(
  new Role(stack, 'Contains', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') }),
  'foo',
)
const template = Template.fromStack(stack)

describe('the roles', () => {
  /** The actions of a service, as the page's cell has them: each once. */
  const actionsOf = (role: string, service: string) => {
    const names = allowedCells(template, role).filter((cell) => cell.startsWith(`${service}:`))
    return [...new Set(names.map((cell) => cell.slice(service.length + 1).split(' ')[0]))].sort()
  }
  const listed = (cell = '') => [...cell.matchAll(/`([A-Z]\w+)`/g)].map(([, action]) => action).sort()

  test.each([
    ['submits', 'SubmitsServiceRole'],
    ['reads', 'ReadsServiceRole'],
    ['manages', 'ManagesServiceRole'],
    ['inspects', 'InspectsServiceRole'],
    ['operates', 'OperatesServiceRole'],
    ['monitors', 'MonitorsServiceRole'],
    ['works', 'JobsWorkersfooRole'],
    ['works in containers', 'Contains'],
    ['ends dead letters', 'JobsDeadLettersRole'],
  ])('who %s may do what the page says', (who, role) => {
    const cells = rowsBelow(page, '## Roles').get(who)
    expect(cells, `a row \`${who}\` in "## Roles"`).toBeDefined()
    for (const [column, service] of ['', 'sqs', 'dynamodb', 's3', 'lambda'].entries()) {
      if (service !== '') expect(listed(cells?.[column]), service).toEqual(actionsOf(role, service))
    }
  })
})

test('the number of alarms is the one that the page says', () => {
  const text = rowsBelow(page, '### Idle').get('alarms')?.[1]
  expect(text).toBe('3 + 2 × queues + 2 × workers')
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').size
  expect(alarms).toBe(3 + 2 * fleet.config.queues.size + 2 * fleet.config.workers.size)
})
