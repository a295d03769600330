/**
 * As much of DynamoDB as one call needs, in no time: it accepts every write, and answers an update with what it
 * assigns. What is measured is the client.
 * @module
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Update {
  readonly UpdateExpression?: string
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: Readonly<Record<string, unknown>>
}

/** A stub that listens. */
export interface DynamoDbStub {
  readonly endpoint: string
  /** The actions that were asked of it since last time. */
  takeActions(): readonly string[]
  close(): Promise<void>
}

/** The attributes that an update assigns, as though there had been none before. */
function assigned({
  UpdateExpression = '',
  ExpressionAttributeNames = {},
  ExpressionAttributeValues = {},
}: Update) {
  const assignments = UpdateExpression.matchAll(/(#\w+) = (?:if_not_exists\(#\w+, )?(:\w+)/g)
  return Object.fromEntries(
    [...assignments].map(([, name = '', value = '']) => [
      ExpressionAttributeNames[name],
      ExpressionAttributeValues[value],
    ]),
  )
}

/** Starts one on a free port of this machine. */
export async function startDynamoDbStub(): Promise<DynamoDbStub> {
  let actions: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const action = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    actions.push(action)
    const answer = action === 'UpdateItem' ? { Attributes: assigned(JSON.parse(body)) } : {}
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    takeActions() {
      const taken = actions
      actions = []
      return taken
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
