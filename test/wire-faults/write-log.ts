/**
 * What the database did, read from the answers it gave, delivered or not: the truth that the workers' own view is
 * held against.
 * @module
 */
import { type Item, recordOf } from '../../src/runtime/aws/dynamodb-item.ts'
import { type CallRecord, isFinal } from '../../src/runtime/call/record.ts'
import type { Exchange } from '../support/fault-proxy.ts'

/** What is known of one claim. */
export interface LoggedClaim {
  readonly id: string
  /** Its number, from 1. */
  readonly attempt: number
  /** Whether the worker was told of it: by an answer, or by a refusal that shows its own owner. */
  isHeard: boolean
}

/** The log of one table. */
export interface WriteLog {
  /** Give this to the proxy. */
  readonly onExchange: (exchange: Exchange) => void
  /** The claims that were written, by their owners. */
  readonly claims: ReadonlyMap<string, LoggedClaim>
  /** The records as they became final, in order, by id: more than one is a double outcome. */
  readonly finals: ReadonlyMap<string, readonly CallRecord[]>
  /** Updates that were made. */
  readonly applied: () => number
  /** Refusals that showed the writer's own owner. */
  readonly echoes: () => number
}

interface Update {
  readonly UpdateExpression: string
  readonly ExpressionAttributeValues?: Item
}

/** Makes an empty log. */
export function createWriteLog(): WriteLog {
  const claims = new Map<string, LoggedClaim>()
  const finals = new Map<string, CallRecord[]>()
  let applied = 0
  let echoes = 0
  const note = (record: CallRecord, newOwner: string | undefined, isDelivered: boolean) => {
    applied += 1
    if (newOwner !== undefined) {
      claims.set(newOwner, { id: record.id, attempt: record.attempts, isHeard: isDelivered })
    } else if (isFinal(record.state)) {
      finals.set(record.id, [...(finals.get(record.id) ?? []), record])
    }
  }
  return {
    onExchange({ request, status, body, isDelivered }) {
      if (request.action !== 'UpdateItem') return
      const update = JSON.parse(request.body) as Update
      const newOwner = newOwnerOf(update)
      const answer = JSON.parse(body) as { Attributes?: Item; Item?: Item }
      if (status === 200) note(recordOf(answer.Attributes ?? {}), newOwner, isDelivered)
      if (answer.Item === undefined) return
      const { owner } = recordOf(answer.Item)
      if (owner === undefined || !mentions(update, owner)) return
      echoes += 1
      const claim = claims.get(owner)
      if (newOwner === owner && claim !== undefined && isDelivered) claim.isHeard = true
    },
    claims,
    finals,
    applied: () => applied,
    echoes: () => echoes,
  }
}

/** The owner that an update writes: only a claim does. */
function newOwnerOf({ UpdateExpression, ExpressionAttributeValues }: Update): string | undefined {
  const placeholder = /#ow = (:v\d+)/.exec(UpdateExpression)?.[1]
  return placeholder === undefined ? undefined : ExpressionAttributeValues?.[placeholder]?.S
}

function mentions({ ExpressionAttributeValues = {} }: Update, owner: string): boolean {
  return Object.values(ExpressionAttributeValues).some(({ S }) => S === owner)
}
