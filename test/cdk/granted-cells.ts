/**
 * What a role of a template may do, as cells `action on resource`: every policy that is attached to it, expanded.
 * @module
 */
import type { Template } from 'aws-cdk-lib/assertions'
import { recordKey } from '../../src/runtime/aws/dynamodb-item.ts'
import { resourcesOf } from './synthesized-fleet.ts'

interface Statement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: unknown
}

/** The statements of all policies of the roles whose logical ids begin so. */
export function statementsOf(template: Template, role: string): Statement[] {
  const roles = [...resourcesOf(template, 'AWS::IAM::Role')].filter(([id]) => isNamed(id, role))
  if (roles.length !== 1) throw new Error(`${roles.length} roles ${role}…, expected one`)
  const [[id, { Properties }]] = roles as [(typeof roles)[0]]
  const inline = (Properties.Policies ?? []).map(
    ({ PolicyDocument }: { PolicyDocument: unknown }) => PolicyDocument,
  )
  const attached = [...resourcesOf(template, 'AWS::IAM::Policy').values()]
    .filter((policy) => policy.Properties.Roles.some(({ Ref }: { Ref?: string }) => Ref === id))
    .map((policy) => policy.Properties.PolicyDocument)
  return [...inline, ...attached].flatMap(({ Statement }) => Statement)
}

/** What a role is allowed, sorted: `sqs:SendMessage on Queues.orders.Queue`, and after that ` if …` where there is a condition. */
export function allowedCells(template: Template, role: string): string[] {
  const cells = statementsOf(template, role)
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource, Condition }) => {
      const under = Condition === undefined ? '' : ` if ${JSON.stringify(Condition)}`
      return listOf(Action).flatMap((action) =>
        listOf(Resource).map((each) => `${action} on ${nameOf(each)}${under}`),
      )
    })
  return [...new Set(cells)].sort()
}

function isNamed(id: string, start: string): boolean {
  return new RegExp(`^${start}[0-9A-F]{8}$`).test(id)
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}

/** A resource without its logical id's hash, and with what follows its ARN. */
function nameOf(resource: unknown): string {
  if (typeof resource === 'string') return resource
  const [kind, content] = Object.entries(resource as object)[0] as [string, unknown]
  if (kind === 'Fn::GetAtt') return (content as [string, string])[0].replace(/[0-9A-F]{8}$/, '')
  if (kind === 'Ref') return (content as string).replace(/[0-9A-F]{8}$/, '')
  if (kind === 'Fn::Join') return (content as [string, unknown[]])[1].map(nameOf).join('')
  return JSON.stringify(resource)
}

/** What follows a table in the cells of writes, which reach the partitions of calls alone. */
export const ofCalls = ` if ${JSON.stringify({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${recordKey('').pk?.S}*`] },
})}`
