/**
 * The web app on Lambda, behind a function URL that streams; `cdk/flights-stack.ts` deploys it.
 * @module
 */
import { streamHandle } from 'hono/aws-lambda'
import { app } from './src/app.ts'

/** What Lambda calls. */
export const handler = streamHandle(app)
