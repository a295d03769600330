/**
 * The monitor of a fleet: its function and its address, what its role may do and what it must not, and what is refused.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, type Stack, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { FleetMonitorProps } from 'errand/cdk'
import { describe, expect, test } from 'vitest'
import { staticFileNames } from '../../src/monitor/static-files.ts'
import { allowedCells } from './granted-cells.ts'
import {
  apps,
  resourceOf,
  resourcesOf,
  type StackedFleet,
  stackFleet,
  userFunction,
  warningsOf,
} from './synthesized-fleet.ts'

const authorizeModule = 'test/fixtures/cdk-app/monitor-auth.ts'

function monitored(
  monitor: FleetMonitorProps | ((stack: Stack) => FleetMonitorProps),
  app: string = apps.shop,
) {
  return stackFleet((stack) => ({ app, monitor: typeof monitor === 'function' ? monitor(stack) : monitor }))
}

const withToken = (stack: Stack): FleetMonitorProps => ({ auth: { tokenSecret: new Secret(stack, 'Token') } })
const template = (made: StackedFleet) => Template.fromStack(made.stack)
const templates = {
  reads: template(monitored({ auth: 'iam' })),
  manages: template(monitored({ auth: 'iam', manage: true })),
  'hides payloads': template(monitored({ auth: 'iam', payloads: false })),
  'has a token': template(monitored(withToken)),
}
const monitorOf = (of: Template) => resourceOf(of, 'AWS::Lambda::Function', 'JobsMonitorFunction')
const settingsOf = (of: Template) =>
  JSON.stringify(monitorOf(of).Properties.Environment.Variables.ERRAND_MONITOR)

describe('the role', () => {
  const cells = Object.fromEntries(
    Object.entries(templates).map(([name, of]) => [name, allowedCells(of, 'JobsMonitorRole')]),
  ) as Record<keyof typeof templates, string[]>
  /** What a client has that is given this access, its own log apart. */
  const accessCells = (access: object) => {
    const { stack, fleet } = stackFleet()
    fleet.addClient(userFunction(stack), access)
    return allowedCells(Template.fromStack(stack), 'WebServiceRole')
  }
  const logs = ['CreateLogStream', 'PutLogEvents'].map((action) => `logs:${action} on JobsMonitorLogs`)
  const blobs = [
    's3:GetObject on JobsBucket/errand/shop/*',
    's3:ListBucket on JobsBucket if {"StringLike":{"s3:prefix":["errand/shop/*"]}}',
  ]
  const reads = [
    ...accessCells({ inspect: true }),
    'dynamodb:Query on JobsTable/index/failed',
    'cloudwatch:GetMetricData on *',
    ...blobs,
  ]

  test('reads what pages show, and nothing else', () => {
    expect(cells.reads).toEqual([...reads, ...logs].sort())
    expect(accessCells({ monitor: true })).toEqual([...reads].sort())
  })

  test('acts where that is granted, as who manages and operates', () => {
    const acts = accessCells({ manage: true, operate: true })
    expect(cells.manages).toEqual([...new Set([...reads, ...acts, ...logs])].sort())
  })

  test('reads no large payloads where none are shown', () => {
    expect(cells['hides payloads']).toEqual(cells.reads.filter((cell) => !blobs.includes(cell)))
  })

  test('reads the one secret that it needs', () => {
    expect(cells['has a token']).toEqual([...cells.reads, 'secretsmanager:GetSecretValue on Token'].sort())
  })

  test('reads a secret that was looked up by its name, whose ARN has an ending that only AWS knows', () => {
    const made = monitored(
      (stack) => ({ auth: { tokenSecret: Secret.fromSecretNameV2(stack, 'Named', 'shop/monitor') } }),
      apps.small,
    )
    const cells = allowedCells(template(made), 'JobsMonitorRole')
    expect(cells.filter((cell) => cell.startsWith('secretsmanager:'))).toEqual([
      expect.stringMatching(/^secretsmanager:GetSecretValue on arn:.*:secret:shop\/monitor-\?{6}$/),
    ])
  })

  const readOnly = ['reads', 'hides payloads', 'has a token'] as const
  const acting = [
    ...['sqs:SendMessage', 'sqs:PurgeQueue', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 's3:PutObject'],
    'lambda:UpdateEventSourceMapping',
  ]
  const never = [
    ...['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteQueue'],
    ...['sqs:SetQueueAttributes', 'sqs:StartMessageMoveTask', 'sqs:GetQueueUrl', 'sqs:ListQueues'],
    ...['dynamodb:Scan', 'dynamodb:DeleteItem', 'dynamodb:DeleteTable', 'dynamodb:UpdateTable'],
    ...['dynamodb:BatchWriteItem', 's3:DeleteObject', 's3:PutBucketPolicy', 'iam:PassRole'],
    ...[
      'lambda:ListEventSourceMappings',
      'lambda:DeleteEventSourceMapping',
      'lambda:CreateEventSourceMapping',
    ],
    ...['lambda:UpdateFunctionCode', 'lambda:UpdateFunctionConfiguration', 'lambda:GetFunction'],
    ...['cloudwatch:PutMetricData', 'cloudwatch:ListMetrics', 'cloudwatch:DeleteAlarms', 'sts:AssumeRole'],
    ...['logs:CreateLogGroup', 'logs:StartQuery', 'logs:GetLogEvents', 'secretsmanager:PutSecretValue'],
  ]
  const names = Object.keys(templates) as (keyof typeof templates)[]
  const forbidden: (readonly [keyof typeof templates, string])[] = [
    ...readOnly.flatMap((role) => acting.map((action) => [role, action] as const)),
    ...names.flatMap((role) => never.map((action) => [role, action] as const)),
    ...names
      .filter((name) => name !== 'has a token')
      .map((role) => [role, 'secretsmanager:GetSecretValue'] as const),
    ['hides payloads', 's3:GetObject'],
    ['hides payloads', 's3:ListBucket'],
  ]

  test.each(forbidden)('%s never: %s', (role, action) => {
    expect(cells[role].filter((cell) => cell.startsWith(`${action} on`))).toEqual([])
  })

  test.each(['manages', 'reads'] as const)(
    '%s never: dead letters purged or sent to, other functions invoked',
    (role) => {
      const strays = cells[role].filter(
        (cell) =>
          /^sqs:(PurgeQueue|SendMessage) on .*DeadLetters/.test(cell) ||
          /^lambda:InvokeFunction on (?!JobsWorkers(foo|bar)Function$)/.test(cell) ||
          /^dynamodb:Query on JobsTable$/.test(cell) ||
          /^dynamodb:(PutItem|UpdateItem) on JobsTable$/.test(cell),
      )
      expect(strays).toEqual([])
    },
  )

  test('has one wildcard, which CloudWatch leaves no choice about', () => {
    const wild = cells.manages.filter((cell) => / on \*$/.test(cell))
    expect(wild).toEqual(['cloudwatch:GetMetricData on *'])
  })

  test('uses keys as far as its reading takes', () => {
    const made = stackFleet((stack) => ({
      app: apps.small,
      encryptionKey: new Key(stack, 'Key'),
      monitor: {
        auth: { tokenSecret: new Secret(stack, 'Token', { encryptionKey: new Key(stack, 'Other') }) },
      },
    }))
    const keys = allowedCells(template(made), 'JobsMonitorRole').filter((cell) => cell.startsWith('kms:'))
    expect(keys).toEqual(['kms:Decrypt on Key', 'kms:Decrypt on Other', 'kms:DescribeKey on Key'])
  })
})

describe('its address', () => {
  const urlsOf = (of: Template) =>
    [...resourcesOf(of, 'AWS::Lambda::Url').values()].map(({ Properties }) => Properties.AuthType)
  const permissionsOf = (of: Template) =>
    [...resourcesOf(of, 'AWS::Lambda::Permission').values()].map(({ Properties }) => Properties.Principal)

  test("asks for a signature with 'iam', and nobody is let in unasked", () => {
    expect(urlsOf(templates.reads)).toEqual(['AWS_IAM'])
    expect(permissionsOf(templates.reads)).toEqual([])
  })

  test('is open to requests where the function asks for itself who sends them', () => {
    expect(urlsOf(templates['has a token'])).toEqual(['NONE'])
    expect(new Set(permissionsOf(templates['has a token']))).toEqual(new Set(['*']))
  })

  test("is warned of where anybody is let in, which has to be typed out: 'none'", () => {
    const made = monitored({ auth: 'none', manage: true })
    expect(urlsOf(template(made))).toEqual(['NONE'])
    const [warning] = warningsOf(made)
    expect(warning).toMatch(
      /^Shop\/Jobs: `monitor.auth` is 'none': whoever knows the address.*may cancel, retry and purge/,
    )
    for (const monitor of [{ auth: 'iam' }, withToken, { auth: { authorize: authorizeModule } }] as const) {
      expect(warningsOf(monitored(monitor))).toEqual([])
    }
  })

  test('is an output, and the command line finds it', () => {
    const outputs = Object.entries(templates.reads.findOutputs('*'))
    const [, url] = outputs.find(([id]) => id.startsWith('JobsMonitorUrl')) ?? []
    expect(url?.Value).toEqual({
      'Fn::GetAtt': [expect.stringMatching(/^JobsMonitorFunctionFunctionUrl/), 'FunctionUrl'],
    })
    const [, fleet] = outputs.find(([id]) => id.startsWith('JobsFleet')) ?? []
    expect(JSON.stringify(fleet?.Value)).toContain('"monitor')
    const { fleet: made } = monitored({ auth: 'iam' })
    expect(made.monitor?.url.url).toBeDefined()
    expect(stackFleet().fleet.monitor).toBeUndefined()
  })
})

describe('the function', () => {
  test('knows the fleet, its workers and its log groups, and no secret', () => {
    const { Properties } = monitorOf(templates['has a token'])
    expect(Object.keys(Properties.Environment.Variables).sort()).toEqual([
      ...['ERRAND_BUCKET', 'ERRAND_FLEET', 'ERRAND_FUNCTIONS', 'ERRAND_MONITOR', 'ERRAND_QUEUE_URLS'],
      ...['ERRAND_TABLE', 'ERRAND_VERSION'],
    ])
    const settings = settingsOf(templates['has a token'])
    for (const group of ['JobsWorkersfooLogs', 'JobsWorkersbarLogs', 'JobsDeadLettersLogs']) {
      expect(settings).toContain(group)
    }
    expect(settings).toMatch(/secretArn.*"Ref":"Token/)
    expect(JSON.stringify(templates['has a token'].toJSON())).not.toContain('resolve:secretsmanager')
    expect(Properties.Environment.Variables.ERRAND_WORKER).toBeUndefined()
  })

  test('may have reserved concurrency, so that whoever finds its address takes none of the workers’', () => {
    const made = monitored({ auth: 'none' }, apps.small)
    const resource = made.fleet.monitor?.function.node.defaultChild as CfnFunction
    resource.reservedConcurrentExecutions = 5
    expect(monitorOf(template(made)).Properties.ReservedConcurrentExecutions).toBe(5)
    expect(made.fleet.node.validate()).toEqual([])
  })

  test('is told how it is to be', () => {
    const of = template(
      monitored({
        auth: 'iam',
        manage: true,
        payloads: false,
        redact: { keys: ['salary'] },
        lookAt: 500,
        memoryMiB: 1024,
      }),
    )
    expect(settingsOf(of)).toContain(
      JSON.stringify(
        '{"auth":"iam","manage":true,"payloads":false,"redact":{"keys":["salary"]},"lookAt":500',
      ).slice(1, -1),
    )
    expect(monitorOf(of).Properties).toMatchObject({
      MemorySize: 1024,
      Timeout: 60,
      Handler: 'index.handler',
    })
  })

  test('has a bundle of its own, with its files, and leaves the workers theirs', () => {
    const { stack } = monitored({ auth: { authorize: authorizeModule } })
    const app = stack.node.root as App
    const assembly = app.synth()
    const assets = readdirSync(assembly.directory).filter((name) => name.startsWith('asset.'))
    const [own = '', ...others] = assets.filter((name) =>
      readdirSync(join(assembly.directory, name)).includes('assets'),
    )
    expect(others).toEqual([])
    expect(readdirSync(join(assembly.directory, own, 'assets')).sort()).toEqual([...staticFileNames].sort())
    const textOf = (folder: string) =>
      readdirSync(join(assembly.directory, folder))
        .filter((name) => name.endsWith('.mjs'))
        .map((name) => readFileSync(join(assembly.directory, folder, name), 'utf8'))
        .join('\n')
    expect(textOf(own)).toContain('ERRAND_MONITOR')
    expect(textOf(own)).toContain('tulip')
    for (const name of assets.filter((asset) => asset !== own)) {
      expect(textOf(name), name).not.toMatch(/tulip|x-errand-monitor|uPlot/)
    }
    const { fleet } = stackFleet()
    expect(monitored({ auth: 'iam' }).fleet.version).toBe(fleet.version)
  })
})

describe('is refused', () => {
  const refusalOf = (monitor: unknown) => {
    try {
      monitored(monitor as FleetMonitorProps, apps.small)
    } catch (error) {
      return (error as Error).message
    }
    throw new Error('nothing was refused')
  }

  test.each([
    [{}, "`monitor.auth` is undefined; its address is public, so say who is let in: `auth: 'iam'`"],
    [{ auth: 'public' }, '`monitor.auth` is "public"; its address is public'],
    [{ auth: true }, '`monitor.auth` is true;'],
    [{ auth: {} }, '`monitor.auth` is an object; its address is public'],
    [{ auth: { token: 'x' } }, 'its address is public'],
    [{ auth: { tokenSecret: 'hunter2', authorize: 'x.ts' } }, 'its address is public'],
    [true, '`monitor` is true, expected an object; its address is public'],
    [
      { auth: { authorize: 'src/nowhere.ts' } },
      '`monitor.auth.authorize` is "src/nowhere.ts", and there is no file',
    ],
    [{ auth: { authorize: 7 } }, '`monitor.auth.authorize` is 7, and there is no file'],
    [{ auth: 'iam', managed: true }, '`monitor` has an unknown option `managed`; did you mean "manage"?'],
    [{ auth: 'iam', manage: 'yes' }, '`monitor.manage` is "yes", expected true or false'],
    [{ auth: 'iam', payloads: 1 }, '`payloads` of monitor is 1, expected true or false'],
    [{ auth: 'iam', lookAt: 1 }, '`lookAt` of monitor is 1, expected a whole number from 100 to 10000'],
    [{ auth: 'iam', refreshSeconds: 0 }, '`refreshSeconds` of monitor is 0'],
    [{ auth: 'iam', redact: { tasks: { add: 'all' } } }, '`redact.tasks` has "all" for "add"'],
    [{ auth: 'iam', memoryMiB: 64 }, '`monitor.memoryMiB` is 64, expected a whole number from 128 to 10240'],
  ])('%j', (monitor, message) => {
    const refused = refusalOf(monitor)
    expect(refused).toMatch(/^Shop\/Jobs: /)
    expect(refused).toContain(message)
  })

  test('a token in clear, which is not said again', () => {
    const refused = refusalOf({ auth: { tokenSecret: 'hunter2' } })
    expect(refused).toContain('`monitor.auth.tokenSecret` is a text, expected a Secret of aws-secretsmanager')
    expect(refused).not.toContain('hunter2')
  })

  test('a module that does not export what is asked for', () => {
    expect(refusalOf({ auth: { authorize: `${authorizeModule}:nobody` } })).toMatch(
      /the monitor of .* cannot be bundled[\s\S]*nobody/,
    )
  })
})

describe("cdk-nag's AwsSolutions", () => {
  test("still finds what else a client's role may do everywhere", () => {
    const { stack, fleet } = stackFleet({ app: apps.small })
    const web = userFunction(stack)
    fleet.addClient(web, { monitor: true })
    fleet.grantMonitor(web)
    const found = () => {
      const { violations } = new AwsSolutionsChecks(stack).validateScope(stack)
      return violations.map(({ ruleName }) => ruleName).filter((rule) => rule.startsWith('AwsSolutions-IAM5'))
    }
    expect(found()).toEqual([])
    web.addToRolePolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] }))
    expect(found()).toEqual(['AwsSolutions-IAM5[Resource::*]'])
  })

  test.each(['reads', 'manages', 'has a token'] as const)(
    'finds nothing in a fleet whose monitor %s',
    (which) => {
      const made = monitored(
        which === 'has a token' ? withToken : { auth: 'iam', manage: which === 'manages' },
      )
      const { violations } = new AwsSolutionsChecks(made.stack).validateScope(made.stack)
      const findings = violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath = '' }) => `${ruleName} ${constructPath}`),
      )
      // A token that is never rotated is the user's own secret.
      expect(findings.filter((finding) => !/^AwsSolutions-SMG4 Shop\/Token\//.test(finding))).toEqual([])
      const acknowledged = made.stack.node
        .findAll()
        .filter(({ node }) => node.path.endsWith('/ErrandMetrics'))
        .flatMap(({ node }) => node.metadata)
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      expect(JSON.stringify(acknowledged)).toContain('which cannot be granted on less')
    },
  )
})

test('the logical ids stay', () => {
  const ids = Object.entries(templates['has a token'].toJSON().Resources as Record<string, { Type: string }>)
    .filter(([id, { Type }]) => id.startsWith('JobsMonitor') && !Type.endsWith('Policy'))
    .map(([id, { Type }]) => `${Type} ${id}`)
  expect(ids.sort()).toMatchSnapshot()
})
