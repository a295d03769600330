/**
 * CloudFormation's API on the wire, for tests: `DescribeStacks`, in AWS's query protocol. It answers the real SDK.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
 * @module
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireServer } from './loopback-connection.ts'

/** One output of a stack. */
export interface Output {
  readonly key: string
  readonly value: string
  readonly description?: string
}

/** An answer: the outputs of a stack, or an error as CloudFormation says it. */
export type StackAnswer = readonly Output[] | { readonly status: number; readonly code: string }

/** The API, listening. */
export interface CloudFormationApi extends WireServer {
  /** The stacks that were asked for, each with whose key signed the request. */
  readonly requests: string[]
}

/** Starts it on a free port of the loopback address; a stack that is not given does not exist. */
export async function startCloudFormationApi(
  stacks: Readonly<Record<string, StackAnswer>>,
): Promise<CloudFormationApi> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const asked = new URLSearchParams(await text(request))
    const name = asked.get('StackName') ?? ''
    const signer = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1]
    requests.push(`${asked.get('Action')} ${name} by ${signer}`)
    const [status, body] = answerTo(name, stacks[name])
    response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    requests,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const NAMESPACE = 'http://cloudformation.amazonaws.com/doc/2010-05-15/'

function answerTo(name: string, stack: StackAnswer | undefined): readonly [status: number, body: string] {
  if (stack === undefined) return refusal(400, 'ValidationError', `Stack with id ${name} does not exist`)
  if ('code' in stack) {
    const who = 'arn:aws:iam::123456789012:user/somebody'
    return refusal(
      stack.status,
      stack.code,
      `User: ${who} is not authorized to perform: cloudformation:DescribeStacks`,
    )
  }
  const outputs = stack.map(({ key, value, description }) => {
    const about = description === undefined ? '' : `<Description>${escaped(description)}</Description>`
    return `<member><OutputKey>${key}</OutputKey><OutputValue>${escaped(value)}</OutputValue>${about}</member>`
  })
  const inner = `<StackName>${name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>${outputs.join('')}</Outputs>`
  return [
    200,
    `<DescribeStacksResponse xmlns="${NAMESPACE}"><DescribeStacksResult><Stacks><member>${inner}</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
  ]
}

function refusal(status: number, code: string, message: string): readonly [number, string] {
  const inner = `<Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message>`
  return [
    status,
    `<ErrorResponse xmlns="${NAMESPACE}"><Error>${inner}</Error><RequestId>1</RequestId></ErrorResponse>`,
  ]
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
