/**
 * A client is deployed after the workers, and a worker that has to know something of the client before it.
 * @module
 */
import { Template } from 'aws-cdk-lib/assertions'
import { FunctionUrlAuthType } from 'aws-cdk-lib/aws-lambda'
import { expect, test } from 'vitest'
import { apps, resourceOf, stackFleet, userFunction } from './synthesized-fleet.ts'

function makeCircle(access: { ordered?: boolean }) {
  const { stack, fleet } = stackFleet({ app: apps.small })
  const web = userFunction(stack)
  const url = web.addFunctionUrl({ authType: FunctionUrlAuthType.AWS_IAM })
  fleet.worker('worker-1').function.addEnvironment('WEB_URL', url.url)
  fleet.addClient(web, { submit: true, ...access })
  return Template.fromStack(stack)
}

test('a worker that knows the URL of a client is refused, with the way out', () => {
  expect(() => makeCircle({})).toThrow(
    'Shop/Jobs: client Shop/Web is deployed after worker "worker-1", whose variable "WEB_URL" is made of it: ' +
      'each would wait for the other; give `addClient` `ordered: false`',
  )
})

test('without an order the worker may know it', () => {
  const { DependsOn } = resourceOf(makeCircle({ ordered: false }), 'AWS::Lambda::Function', 'Web')
  expect(JSON.stringify(DependsOn)).not.toContain('Jobs')
})

test('an order alone is no access', () => {
  const { stack, fleet } = stackFleet({ app: apps.small })
  expect(() => fleet.addClient(userFunction(stack), { ordered: true })).toThrow(
    '{ manage: true }, { inspect: true }, { operate: true }',
  )
})
