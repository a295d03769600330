/**
 * The app that a fleet finds: read with the variables that its workers will have, and shared in a process only where
 * all is the same that it depends on.
 * @module
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { App, Lazy, Stack, Stage } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { ErrandFleet, type ErrandFleetProps } from 'errand/cdk'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { executorText, imports, writeApp } from '../support/app-folder.ts'
import { resourcesOf } from './synthesized-fleet.ts'

afterEach(() => vi.unstubAllEnvs())

/** Large payloads in production alone; what the workers do depends on it too. */
const staged = `${imports}
if (!process.env.STAGE) throw new Error('STAGE is not set')
const blobs = process.env.STAGE === 'live' ? { blobs: true } as const : {}
export const executor = createExecutor({ name: 'shop', ...blobs }, { tasks: { add: (a: number) => a } })
`

/** The template of a fleet, and the code of its first function. */
function fleetIn(stack: Stack, props: ErrandFleetProps): { buckets: number; code: string } {
  new ErrandFleet(stack, 'Jobs', props)
  const template = Template.fromStack(stack)
  const [code = ''] = [...resourcesOf(template, 'AWS::Lambda::Function').values()].map(
    ({ Properties }) => Properties.Code.S3Key as string,
  )
  return { buckets: resourcesOf(template, 'AWS::S3::Bucket').size, code }
}

const newApp = (outdir?: string) =>
  new App({ builtinCloudFormationValidation: false, ...(outdir !== undefined && { outdir }) })

describe('two stages of one process are each read', () => {
  const readStages = (propsOf: (stage: string) => Partial<ErrandFleetProps>) => {
    const cwd = writeApp({ 'errand.ts': staged })
    const app = newApp()
    const [beta, live] = ['beta', 'live'].map((name) => {
      const stack = new Stack(new Stage(app, name), 'Shop')
      return fleetIn(stack, { app: join(cwd, 'errand.ts'), ...propsOf(name) })
    })
    expect(beta?.buckets).toBe(0)
    expect(live?.buckets).toBe(1)
    expect(live?.code).not.toBe(beta?.code)
  }

  test("with this process's variables", () => {
    readStages((name) => {
      vi.stubEnv('STAGE', name)
      return {}
    })
  })

  test('with the variables that the fleet gives its workers', () => {
    readStages((STAGE) => ({ environment: { STAGE } }))
  })
})

test('a variable that only the deployment knows is not there when the app is read', () => {
  const cwd = writeApp({ 'errand.ts': staged })
  const STAGE = Lazy.string({ produce: () => 'live' })
  const make = () =>
    fleetIn(new Stack(newApp(), 'Shop'), { app: join(cwd, 'errand.ts'), environment: { STAGE } })
  expect(make).toThrow('STAGE is not set')
  expect(make).toThrow('those that the construct is given as plain text')
})

test('an assembly that was removed is made again', () => {
  const cwd = writeApp({ 'errand.ts': `${imports}\nexport const executor = ${executorText('shop')}\n` })
  const make = () => fleetIn(new Stack(newApp(join(cwd, 'cdk.out')), 'Shop'), { app: join(cwd, 'errand.ts') })
  const { code } = make()
  rmSync(join(cwd, 'cdk.out'), { recursive: true })
  expect(make().code).toBe(code)
})

test.each(['local', 'eager'])('an executor whose backend is %j is refused', (backend) => {
  const text = `${imports}\nexport const executor = createExecutor({ name: 'shop' }, { backend: '${backend}' })\n`
  const cwd = writeApp({ 'errand.ts': text })
  const make = () => new ErrandFleet(new Stack(newApp(), 'Shop'), 'Jobs', { app: join(cwd, 'errand.ts') })
  expect(make).toThrow(
    `Shop/Jobs: the executor of ${join(cwd, 'errand.ts')} has the \`backend\` "${backend}"`,
  )
  expect(make).toThrow('leave it out, since it is chosen, or set ERRAND_BACKEND in development')
})
