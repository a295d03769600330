/**
 * Counts what DynamoDB bills, for tests.
 * @module
 */
import type { ConsumedCapacity, DynamoDBClient } from '@aws-sdk/client-dynamodb'

/** Units of one request. */
export interface BilledRequest {
  readonly command: string
  readonly units: number
}

const billed = new Set(['PutItem', 'UpdateItem', 'GetItem', 'BatchGetItem', 'DeleteItem', 'Query'])

/** Makes every request of `client` ask for its bill, and returns the list that the bills are added to. */
export function countCapacity(client: DynamoDBClient): BilledRequest[] {
  const requests: BilledRequest[] = []
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const command = context.commandName?.replace(/Command$/, '') ?? ''
      if (!billed.has(command)) return next(args)
      const answer = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
      const { ConsumedCapacity: consumed } = answer.output as {
        ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[]
      }
      const parts = consumed === undefined ? [] : [consumed].flat()
      requests.push({ command, units: parts.reduce((sum, part) => sum + (part.CapacityUnits ?? 0), 0) })
      return answer
    },
    { step: 'initialize', name: 'countCapacity' },
  )
  return requests
}
