/**
 * A function URL: requests over HTTP, as the events that Lambda makes of them.
 * @module
 */
import type { StackFunction } from './lambda-function.ts'

/** What a web app answers. */
export interface UrlAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
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
  const result = await web.invoke({
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { host: 'example.lambda-url.us-east-1.on.aws', 'content-type': 'application/json' },
    requestContext: {
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      stage: '$default',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  })
  if (!result.ok) throw result.error
  const answer = result.payload as UrlAnswer
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
