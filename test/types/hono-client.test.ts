import { createClient, createExecutor, defineConfig } from 'errand'
import { type JsonOf, type JsonValue, taskRoutes } from 'errand/hono'
import { Hono } from 'hono'
import { hc } from 'hono/client'
import { describe, expect, expectTypeOf, test } from 'vitest'

// What `hc` knows of the routes: the JSON that arrives. `tsc` is the test of the types.

interface Invoice {
  readonly due: Date
  readonly cents: bigint
  readonly note?: string
  readonly paid: Date | undefined
  readonly lines: ReadonlyMap<string, number>
}

const config = defineConfig({ name: 'web-types' })
const invoice = async (_: string): Promise<Invoice> => ({
  due: new Date(0),
  cents: 1n,
  paid: undefined,
  lines: new Map([['a', 1]]),
})
const executor = createExecutor(config, {
  tasks: { invoice, math: { add: (a: number, b: number) => a + b } },
})
const client = createClient<typeof executor>(config)
const authorize = () => true

const app = new Hono().route('/tasks', taskRoutes(client, { authorize }))
const web = hc<typeof app>('http://localhost', { fetch: app.request })

interface InvoiceJson {
  readonly due: string
  readonly cents: string
  readonly note?: string
  readonly paid?: string
  readonly lines: [string, number][]
}

describe('hc', () => {
  test('has results as the JSON they are, each by its task', async () => {
    const future = await executor.submit(invoice, '2026-10')
    await future.result()
    const response = await web.tasks.calls[':id'].result.$get({ param: { id: future.id } })
    expect(response.status).toBe(200)
    if (response.status !== 200) return
    const result = await response.json()
    expectTypeOf(result.task).toEqualTypeOf<'invoice' | 'math.add'>()
    if (result.state !== 'succeeded') throw new Error(result.state)
    if (result.task === 'math.add') {
      expectTypeOf(result.value).toEqualTypeOf<number>()
    } else {
      expectTypeOf(result.value).toEqualTypeOf<InvoiceJson>()
      expect(result.value).toEqual({ due: '1970-01-01T00:00:00.000Z', cents: '1', lines: [['a', 1]] })
    }
  })

  test('has status, progress and instructions', async () => {
    const { id } = await executor.submit(invoice, '2026-10')
    const status = await (await web.tasks.calls[':id'].$get({ param: { id } })).json()
    expectTypeOf(status.attempts).toEqualTypeOf<number>()
    const cancelled = await web.tasks.calls[':id'].cancel.$post({ param: { id }, json: {} })
    expectTypeOf((await cancelled.json()).cancelled).toEqualTypeOf<boolean>()
    await web.tasks.calls[':id'].abort.$post({ param: { id }, json: { reason: 'enough' } })
    // @ts-expect-error a reason is a text
    await web.tasks.calls[':id'].abort.$post({ param: { id }, json: { reason: 1 } })
    const group = await executor.map(invoice, [['2026-10']])
    await group.results()
    const results = await web.tasks.groups[':id'].result.$get({ param: { id: group.id } })
    if (results.status !== 200) throw new Error(String(results.status))
    const [first] = (await results.json()).calls
    expect(first?.state).toBe('succeeded')
    expectTypeOf(first?.task).toEqualTypeOf<'invoice' | 'math.add' | undefined>()
  })
})

test('JsonOf', () => {
  expectTypeOf<JsonOf<unknown>>().toEqualTypeOf<JsonValue>()
  expectTypeOf<JsonOf<void>>().toEqualTypeOf<null>()
  expectTypeOf<JsonOf<[Date, Set<bigint>]>>().toEqualTypeOf<[string, string[]]>()
  expectTypeOf<JsonOf<Uint8Array | Float64Array>>().toEqualTypeOf<string | number[]>()
  expectTypeOf<JsonOf<{ a: 1 | null }[]>>().toEqualTypeOf<{ a: 1 | null }[]>()
  expectTypeOf<JsonOf<'a' | Date>>().toEqualTypeOf<string>()
})

test('authorize has the context of the app', () => {
  interface Session {
    Variables: { tenant: string }
  }
  const routes = taskRoutes(executor, {
    authorize: ({ tenant }, c: import('hono').Context<Session>) => tenant === c.var.tenant,
  })
  const typed = new Hono<Session>().route('/', routes)
  expect(typed.routes.length).toBeGreaterThan(0)
})
