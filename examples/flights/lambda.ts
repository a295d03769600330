/**
 * The web app on Lambda, behind a function URL; `cdk/flights-stack.ts` deploys it.
 * @module
 */
import { handle } from 'hono/aws-lambda'
import { app } from './src/app.ts'

/** What Lambda calls. */
export const handler = handle(app)
