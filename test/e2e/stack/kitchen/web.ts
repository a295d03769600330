/**
 * The kitchen's web app, as a Lambda function: it submits by name, and bundles none of the workers' code.
 * @module
 */
import { createClient } from 'errand'
import { Hono } from 'hono'
import { handle } from 'hono/aws-lambda'
import { config } from './errand.config.ts'
import type { executor } from './errand-next.ts'

/** What may be asked for. */
export interface Request {
  readonly task: string
  /** The arguments of each call. */
  readonly calls: readonly (readonly unknown[])[]
  readonly tenant?: string
}

const client = createClient<typeof executor>(config)
const app = new Hono()

// What a caller names is checked by `map`; the types are for code that names it itself.
type AnyMap = (task: string, calls: Request['calls']) => Promise<{ readonly id: string }>

app.post('/calls', async (c) => {
  const { task, calls, tenant } = await c.req.json<Request>()
  const submitter = client.with(tenant === undefined ? {} : { tenant })
  const { id } = await (submitter.map as unknown as AnyMap)(task, calls)
  return c.json({ id }, 202)
})

app.get('/calls/:id', async (c) => {
  const outcomes = await client.group(c.req.param('id')).outcomes({ timeoutSeconds: 5 })
  return c.json(outcomes)
})

/** The function's entry. */
export const handler = handle(app)
