/**
 * The synthesis as a whole: the same bytes each time, ids that stay, nothing that cdk-nag or CloudFormation refuses.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack, Stage, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ErrandFleet } from 'errand/cdk'
import { afterAll, describe, expect, test } from 'vitest'
import { cyclesOf } from '../support/import-cycles.ts'
import {
  apps,
  fleetTemplate,
  resourceOf,
  resourcesOf,
  stackFleet,
  userFunction,
  warningsOf,
} from './synthesized-fleet.ts'

const folder = mkdtempSync(join(tmpdir(), 'errand-cdk-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A whole fleet: all that a construct may make. */
function wholeFleet(appProps = {}) {
  const made = stackFleet(
    (stack) => ({ vpc: new Vpc(stack, 'Vpc'), alarmTopic: new Topic(stack, 'Topic') }),
    appProps,
  )
  made.fleet.addClient(userFunction(made.stack), {
    submit: true,
    read: true,
    manage: true,
    inspect: true,
    operate: true,
  })
  return made
}

describe('a synthesis', () => {
  const filesOf = (outdir: string) =>
    Object.fromEntries(
      readdirSync(outdir, { recursive: true, encoding: 'utf8' })
        .sort()
        .filter((path) => statSync(join(outdir, path)).isFile())
        .map((path) => [path, readFileSync(join(outdir, path), 'utf8')]),
    )
  const synthesise = (name: string) => {
    const outdir = join(folder, name)
    const { stack } = wholeFleet({ outdir })
    ;(stack.node.root as App).synth()
    return filesOf(outdir)
  }

  test('gives the same bytes twice, and names no folder of this machine', () => {
    // The first is the one that bundles: its source map stays in the assembly.
    const own = (files: Record<string, string>) =>
      Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith('errand/')))
    // In one place: the assembly's metadata says where a construct was made.
    const [once = {}, twice = {}] = ['once', 'twice'].map((name) => own(synthesise(name)))
    expect(Object.keys(twice)).toEqual(Object.keys(once))
    for (const [path, text] of Object.entries(once)) {
      expect(twice[path] === text, path).toBe(true)
      if (/template\.json$|asset\./.test(path)) expect(text, path).not.toContain(process.cwd())
    }
  })

  test('works with all recommended feature flags, and with none', () => {
    const flags = createRequire(import.meta.url)('aws-cdk-lib/recommended-feature-flags.json')
    for (const context of [{}, flags]) {
      const template = Template.fromStack(
        wholeFleet({ context, builtinCloudFormationValidation: true }).stack,
      )
      expect(resourcesOf(template, 'AWS::Lambda::EventSourceMapping').size).toBe(7)
    }
  })

  test('names no account, region or Availability Zone that it was not given', () => {
    expect(JSON.stringify(fleetTemplate().toJSON())).not.toMatch(/\b\d{12}\b|\b[a-z]{2}-[a-z]+-\d\b/)
  })
})

describe('the logical ids', () => {
  test('stay from version to version: another id is another queue, and another table', () => {
    const kept = /^AWS::(SQS::Queue|DynamoDB|S3::Bucket|Lambda|Logs|IAM::Role)/
    const ids = Object.entries(fleetTemplate().toJSON().Resources as Record<string, { Type: string }>)
      .filter(([, { Type }]) => kept.test(Type))
      .map(([id, { Type }]) => `${Type} ${id}`)
    expect(ids.sort()).toMatchSnapshot()
  })

  test('of two fleets in a stack do not clash, nor those of one in two stages', () => {
    const app = new App({ builtinCloudFormationValidation: false })
    const stack = new Stack(app, 'Both')
    new ErrandFleet(stack, 'One', { app: apps.shop })
    new ErrandFleet(stack, 'Two', { app: apps.small })
    const stages = ['Test', 'Live'].map((name) => {
      const staged = new Stack(new Stage(app, name), 'Shop')
      new ErrandFleet(staged, 'Jobs', { app: apps.small })
      return staged
    })
    expect(Object.keys(Template.fromStack(stack).findOutputs('*'))).toHaveLength(2)
    const [one, other] = stages.map((staged) => Template.fromStack(staged).toJSON().Resources)
    expect(one).toEqual(other)
  })

  test('of names that differ in a sign only do not clash', () => {
    const template = fleetTemplate({ app: 'test/fixtures/cdk-app/like-names.ts' })
    expect(resourcesOf(template, 'AWS::SQS::Queue').size).toBe(2 * 4)
    expect(resourcesOf(template, 'AWS::Lambda::Function').size).toBe(3)
  })
})

describe('CloudFormation', () => {
  test('finds no resource that waits for itself', () => {
    const resources = Object.entries(Template.fromStack(wholeFleet().stack).toJSON().Resources as object)
    const ids = new Set(resources.map(([id]) => id))
    const graph = new Map(
      resources.map(([id, resource]) => [id, referencesIn(resource).filter((to) => ids.has(to))]),
    )
    expect(cyclesOf(graph)).toEqual([])
  })

  test('updates the workers and their mappings before a client', () => {
    const template = Template.fromStack(wholeFleet().stack)
    const web = resourceOf(template, 'AWS::Lambda::Function', 'Web')
    const mappings = [...resourcesOf(template, 'AWS::Lambda::EventSourceMapping').keys()]
    const workers = [...resourcesOf(template, 'AWS::Lambda::Function').keys()].filter((id) =>
      id.startsWith('JobsWorkers'),
    )
    const awaited = mappings.filter((id) => id.startsWith('JobsWorkers'))
    expect(web.DependsOn).toEqual(expect.arrayContaining([...workers, ...awaited]))
  })
})

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, content]) => {
    if (key === 'Ref') return [content as string]
    if (key === 'Fn::GetAtt') return [(content as string[])[0] as string]
    if (key === 'DependsOn') return [content].flat() as string[]
    return referencesIn(content)
  })
}

describe("cdk-nag's AwsSolutions", () => {
  /** What the pack finds, less what the user's own function and VPC bring. */
  const findings = (made: ReturnType<typeof stackFleet>) =>
    new AwsSolutionsChecks(made.stack)
      .validateScope(made.stack)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources
          .map(({ constructPath = '' }) => `${ruleName} ${constructPath}`)
          .filter((finding) => !/ Shop\/(Vpc|Topic)\/|^AwsSolutions-(IAM4\[|L1).* Shop\/Web\//.test(finding)),
      )

  test('finds nothing that is not acknowledged, in a whole fleet or the least', () => {
    expect(findings(wholeFleet())).toEqual([])
    expect(findings(stackFleet({ app: apps.small }))).toEqual([])
  })

  test('is told why two rules are kept from: access logs of the bucket, and what cannot be named one by one', () => {
    const key = Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    const { stack } = wholeFleet()
    const acknowledged = stack.node
      .findAll()
      .flatMap(({ node }) =>
        node.metadata
          .filter(({ type }) => type === key)
          .flatMap(({ data }) => Object.entries(data as object)),
      )
    const ofPack = acknowledged
      .map(([rule, reason]) => [rule.replace(/^annotation::/i, ''), reason] as const)
      .filter(([rule]) => rule.startsWith('AwsSolutions-'))
    expect(Object.fromEntries(ofPack)).toEqual({
      'AwsSolutions-IAM5[Resource::*]': expect.stringMatching(/network interfaces/),
      'AwsSolutions-IAM5[Resource::<JobsBucket264FE5C6.Arn>/errand/shop/*]':
        expect.stringMatching(/ids of calls/),
      'AwsSolutions-S1': expect.stringMatching(/private payloads that expire/),
    })
  })

  test('would find what is wrong', () => {
    const made = stackFleet({ app: apps.small })
    new Queue(made.stack, 'Bare')
    expect(findings(made)).toEqual(
      ['AwsSolutions-SQS3', 'AwsSolutions-SQS4'].map((rule) => `${rule} Shop/Bare/Resource`),
    )
  })

  test('the least fleet needs no acknowledgement', () => {
    const { stack } = stackFleet({ app: apps.small })
    expect(JSON.stringify(stack.node.findAll().map(({ node }) => node.metadata))).not.toContain(
      'AwsSolutions',
    )
  })
})

test('a fleet as it should be has no warning', () => {
  expect(warningsOf(wholeFleet())).toEqual([])
})
