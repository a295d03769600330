import { createExecutor, defineConfig, InvalidOptionError, NotWiredError } from 'errand'
import { describe, expect, test } from 'vitest'
import { chooseBackend, type Environment } from '../../src/runtime/choose-backend.ts'
import type { BackendKind } from '../../src/runtime/ports/backend.ts'

const wired = { ERRAND_TABLE: 'table', ERRAND_QUEUE_URLS: '{}' }
const choose = (env: Environment, named?: BackendKind) => chooseBackend(named, env, 'shop')

describe('chooseBackend', () => {
  const rows: [string, Environment, BackendKind | undefined, BackendKind][] = [
    ['what the code says, whatever the variables', { ERRAND_BACKEND: 'aws', ...wired }, 'local', 'local'],
    ['what ERRAND_BACKEND says', { ERRAND_BACKEND: 'eager', ...wired }, undefined, 'eager'],
    ['nothing an empty ERRAND_BACKEND says', { ERRAND_BACKEND: '' }, undefined, 'local'],
    ['aws where it is wired', wired, undefined, 'aws'],
    ['aws where it is wired, on Lambda', { ...wired, AWS_LAMBDA_FUNCTION_NAME: 'f' }, undefined, 'aws'],
    ['local in development', {}, undefined, 'local'],
    ['local with half of the wiring', { ERRAND_TABLE: 'table' }, undefined, 'local'],
    ['local under vitest, though wired', { ...wired, VITEST: 'true' }, undefined, 'local'],
    ['local under jest, though wired', { ...wired, JEST_WORKER_ID: '1' }, undefined, 'local'],
    ['local under node:test, though wired', { ...wired, NODE_TEST_CONTEXT: 'child-v8' }, undefined, 'local'],
    [
      'aws under a test runner where it is named',
      { VITEST: 'true', ERRAND_BACKEND: 'aws' },
      undefined,
      'aws',
    ],
    ['local in production where it is named', { NODE_ENV: 'production' }, 'local', 'local'],
  ]
  test.each(rows)('takes %s', (_, env, named, expected) => {
    expect(choose(env, named)).toBe(expected)
  })

  test.each([
    { NODE_ENV: 'production' },
    { AWS_LAMBDA_FUNCTION_NAME: 'f' },
    { ECS_CONTAINER_METADATA_URI_V4: 'http://x' },
    { ECS_CONTAINER_METADATA_URI: 'http://x' },
    { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    { NODE_ENV: 'production', ERRAND_TABLE: 'half of the wiring' },
  ])('refuses production without wiring: %o', (env) => {
    expect(() => choose(env)).toThrow(NotWiredError)
    const parts = [
      '"shop"',
      'this is production',
      'ERRAND_TABLE',
      'ERRAND_QUEUE_URLS',
      'fleet.addClient',
      'ERRAND_BACKEND=local',
    ]
    for (const part of parts) expect(() => choose(env)).toThrow(part)
    expect(() => choose(env)).toThrow(Object.keys(env)[0] as string)
  })

  test('refuses another word, with the nearest one', () => {
    expect(() => choose({ ERRAND_BACKEND: 'lcoal' })).toThrow(InvalidOptionError)
    expect(() => choose({ ERRAND_BACKEND: 'lcoal' })).toThrow(
      'ERRAND_BACKEND is "lcoal"; did you mean "local"?',
    )
    expect(() => choose({}, 'constructor' as BackendKind)).toThrow('`backend` is "constructor"; known: "aws"')
  })
})

test('a backend of null is refused in words', async () => {
  const backend = null as unknown as BackendKind
  const executor = createExecutor(defineConfig({ name: 'null' }), { tasks: { add: () => 1 }, backend })
  const error = await executor.start().catch((reason: unknown) => reason)
  expect(InvalidOptionError.is(error)).toBe(true)
})
