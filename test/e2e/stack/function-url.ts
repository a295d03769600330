/**
 * A function URL: requests over HTTP, as the events that Lambda makes of them, and answers, whole or streamed.
 * @module
 */
import type { OnPart } from './lambda-environment.ts'
import type { StackFunction } from './lambda-function.ts'

/** What a web app answers. */
export interface UrlAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a request has beside its method and path. */
export interface UrlRequest {
  /** JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** As AWS tells of whoever signed it, where the URL asks for IAM. */
  readonly authorizer?: object
  /** Is given the text of a streamed answer's body as it comes. */
  readonly onText?: (text: string) => void
}

/**
 * Sends a request; any status is an answer.
 * @throws where the invocation fails
 */
export async function callFunctionUrl(
  web: StackFunction,
  method: string,
  path: string,
  { body, headers = {}, authorizer, onText }: UrlRequest = {},
): Promise<UrlAnswer> {
  const { pathname, searchParams } = new URL(path, 'http://function')
  const host = 'example.lambda-url.us-east-1.on.aws'
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: String(searchParams),
    headers: { host, 'content-type': 'application/json', ...headers },
    requestContext: {
      domainName: host,
      http: { method, path: pathname, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      stage: '$default',
      ...(authorizer && { authorizer }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  }
  const result = await web.invoke(event, onText && bodyParts(onText))
  if (!result.ok) throw result.error
  return Buffer.isBuffer(result.payload) ? streamedAnswer(result.payload) : (result.payload as UrlAnswer)
}

/** Between what a streamed answer says of itself and its body. */
const DELIMITER = Buffer.alloc(8)

function streamedAnswer(bytes: Buffer): UrlAnswer {
  const end = bytes.indexOf(DELIMITER)
  if (end === -1) throw new Error(`a streamed answer without its prelude: ${bytes.subarray(0, 200)}`)
  const prelude = JSON.parse(bytes.subarray(0, end).toString()) as Omit<UrlAnswer, 'body'>
  return { ...prelude, body: bytes.subarray(end + DELIMITER.length).toString() }
}

function bodyParts(onText: (text: string) => void): OnPart {
  let head: Buffer | undefined = Buffer.alloc(0)
  return (part) => {
    if (head === undefined) return onText(part.toString())
    head = Buffer.concat([head, part])
    const end = head.indexOf(DELIMITER)
    if (end === -1) return
    const rest = head.subarray(end + DELIMITER.length).toString()
    head = undefined
    if (rest !== '') onText(rest)
  }
}

/**
 * Asks a web app.
 * @throws where the invocation fails, or the answer's status is no success
 */
export async function requestFunctionUrl(
  web: StackFunction,
  method: string,
  path: string,
  body?: unknown,
): Promise<UrlAnswer> {
  const answer = await callFunctionUrl(web, method, path, body === undefined ? {} : { body })
  if (answer.statusCode >= 300) {
    throw new Error(`${method} ${path} was answered with ${answer.statusCode}: ${answer.body}`)
  }
  return answer
}

/** Asks a web app, and returns the JSON of its answer. */
export async function askFunctionUrl(...request: Parameters<typeof requestFunctionUrl>): Promise<unknown> {
  const { body } = await requestFunctionUrl(...request)
  return JSON.parse(body)
}
