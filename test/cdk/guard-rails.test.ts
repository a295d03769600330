/**
 * What a fleet refuses, one test each: where, the option, the value, the rule, the fix.
 * @module
 */
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type CfnFunction, LayerVersion } from 'aws-cdk-lib/aws-lambda'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { ErrandFleet, type ErrandFleetProps } from 'errand/cdk'
import { describe, expect, test } from 'vitest'
import { apps, stackFleet, userFunction, warningsOf } from './synthesized-fleet.ts'

const small = { app: apps.small }
const odd = (name: string) => ({ app: `test/fixtures/cdk-app/odd-fleets.ts:${name}` })
const refused = (name: string) => ({ app: `test/fixtures/cdk-app/refused/${name}.ts` })

/** The message of the error that making, or synthesising, such a fleet ends in. */
function refusalOf(
  props: Parameters<typeof stackFleet>[0],
  then: (made: ReturnType<typeof stackFleet>) => void = () => {},
): string {
  return messageOf(() => {
    const made = stackFleet(props)
    then(made)
    Template.fromStack(made.stack)
  })
}

function messageOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

/** What JavaScript lets pass. */
const loosely = (props: object) => props as Partial<ErrandFleetProps>

describe('the config is refused for', () => {
  test('a route to a queue that is not there', () => {
    expect(refusalOf(refused('route'))).toContain(
      '"reports.*" leads to a queue "hihg" that is not declared; did you mean "high"?',
    )
  })

  test('a queue that nobody consumes', () => {
    expect(refusalOf(refused('unconsumed'))).toContain(
      'queue "high" has no worker, its calls would never run; add it to the `queues` of one of "foo"',
    )
  })

  test('a function time-out over the visibility', () => {
    expect(refusalOf(refused('visibility'))).toContain(
      'queue "low": `visibilitySeconds` is 60, expected a whole number from 300 to 43200',
    )
  })

  test('a name that AWS would refuse', () => {
    expect(refusalOf(refused('name'))).toContain('the name is "orders.fifo", expected a name of 1–64 letters')
  })
})

describe('a concurrency is refused that', () => {
  test('is no whole number of invocations, with the nearest that are', () => {
    expect(refusalOf(odd('uneven'))).toBe(
      'Shop/Jobs: worker "foo": `concurrency` is 25, over 1 queue × batches of 10 that is 2.5 invocations at once, ' +
        'and Lambda takes whole numbers from 2 to 1000; use 20 or 30, or another `batchSize`',
    )
  })

  test('is less than a mapping can', () => {
    expect(refusalOf(odd('single'))).toContain(
      'that is 1 invocation at once, and Lambda takes whole numbers from 2 to 1000; use 2,',
    )
  })

  test('nobody set, over many queues', () => {
    expect(refusalOf(odd('spread'))).toContain(
      'worker "worker-1": `concurrency` is 10, the default, over 12 queues × batches of 1 that is 0.83 invocations at once, ' +
        'and Lambda takes whole numbers from 2 to 1000; use 24,',
    )
  })

  test('is more than a mapping can', () => {
    expect(refusalOf(odd('huge'))).toContain(
      'that is 2000 invocations at once, and Lambda takes whole numbers from 2 to 1000; use 5000,',
    )
  })
})

describe('names are refused that are not declared', () => {
  test.each([
    [
      { workers: { fooo: {} } },
      'Shop/Jobs: `workers`: worker "fooo" is not declared; did you mean "foo"? known: "foo", "bar"',
    ],
    [
      { queues: { 'low-prioritty': {} } },
      'Shop/Jobs: `queues`: queue "low-prioritty" is not declared; did you mean "low-priority"?',
    ],
    [{ qeues: {} }, 'Shop/Jobs: the fleet has an unknown option `qeues`; did you mean "queues"?'],
    [
      { workers: { foo: { layer: [] } } },
      'Shop/Jobs: `workers` "foo" has an unknown option `layer`; did you mean "layers"?',
    ],
    [
      { workers: { foo: { timeoutSeconds: 60 } } },
      '`workers` "foo" has an unknown option `timeoutSeconds`; set it in the config, which workers read too',
    ],
  ])('%j', (props, message) => {
    expect(refusalOf(loosely(props))).toContain(message)
  })

  test('of `worker` and `queue`', () => {
    const { fleet } = stackFleet()
    expect(() => fleet.worker('baz')).toThrow('Shop/Jobs: worker "baz" is not declared; did you mean "bar"?')
    expect(() => fleet.queue('toString')).toThrow('Shop/Jobs: queue "toString" is not declared')
  })

  test('an app that is not named', () => {
    expect(refusalOf(loosely({ app: '' }))).toContain(
      "Shop/Jobs: `app` is not given; name the module of the executor: `app: 'src/errand.ts'`",
    )
  })
})

describe('variables are refused', () => {
  test.each([
    ['ERRAND_TABLE', 'which the fleet sets from the config; leave it out, or change the config'],
    ['AWS_REGION', 'which Lambda sets itself and refuses to be given; use another name'],
    ['AWS_SECRET_ACCESS_KEY', 'which Lambda sets itself'],
    ['MY-KEY', 'and Lambda takes letters, digits and `_`, two at least, a letter first; use another name'],
  ])('%s', (name, why) => {
    expect(refusalOf({ ...small, environment: { [name]: 'x' } })).toContain(
      `Shop/Jobs: \`environment\` sets "${name}", ${why}`,
    )
    const ofWorker = { ...small, workers: { 'worker-1': { environment: { [name]: 'x' } } } }
    expect(refusalOf(ofWorker)).toContain(
      `Shop/Jobs: \`environment\` of worker "worker-1" sets "${name}", ${why}`,
    )
  })

  test('over 4 KB, with the largest', () => {
    const message = refusalOf({ ...small, environment: { LETTER: 'x'.repeat(4000) } })
    expect(message).toMatch(
      /Shop\/Jobs: worker "worker-1" \(.*\): `environment` has at least 4\d\d\d bytes, and Lambda takes 4096 \(largest: LETTER 4006, /,
    )
  })

  test('over 4 KB by the URLs of queues, which only the deployment knows', () => {
    const message = refusalOf(odd('many'))
    expect(message).toMatch(
      /dead letters \(.*\): `environment` has at least \d+ bytes.*ERRAND_QUEUE_URLS.*declare fewer queues/,
    )
  })

  test('over 4 KB by the name of the stack, which the names of queues begin with', () => {
    const bytesIn = (name: string) => {
      const stack = new Stack(new App({ builtinCloudFormationValidation: false }), name)
      new ErrandFleet(stack, 'Jobs', { ...small, environment: { LETTER: 'x'.repeat(4096) } })
      const [, bytes] =
        /worker .* has at least (\d+) bytes/.exec(messageOf(() => Template.fromStack(stack))) ?? []
      return Number(bytes)
    }
    expect(bytesIn('ShopBackgroundJobs') - bytesIn('Shop')).toBe('BackgroundJobs'.length)
  })

  test('over 4 KB at a client that knows the functions too', () => {
    const message = refusalOf(small, ({ stack, fleet }) => {
      const web = userFunction(stack)
      fleet.addClient(web, { inspect: true })
      web.addEnvironment('LETTER', 'x'.repeat(3850))
    })
    expect(message).toMatch(
      /Shop\/Jobs: client Shop\/Web: `environment` has at least 4\d\d\d bytes.*LETTER 3856, ERRAND_FUNCTIONS \d+, /,
    )
  })

  test('that are set later on', () => {
    const message = refusalOf(small, ({ fleet }) =>
      fleet.worker('worker-1').function.addEnvironment('LETTER', 'x'.repeat(4096)),
    )
    expect(message).toContain('largest: LETTER 4102')
  })
})

describe('a function is refused', () => {
  test('that has reserved concurrency', () => {
    const message = refusalOf(small, ({ fleet }) => {
      const resource = fleet.worker('worker-1').function.node.defaultChild as CfnFunction
      resource.reservedConcurrentExecutions = 5
    })
    expect(message).toContain(
      'Shop/Jobs: worker "worker-1" (Shop/Jobs/Workers/worker-1/Function): `reservedConcurrentExecutions` is 5: ',
    )
    expect(message).toContain(
      "leave it out: the worker's `concurrency` in the config sets the mappings' MaximumConcurrency",
    )
  })

  test('that was given more time than its queues hide a message', () => {
    const message = refusalOf(small, ({ fleet }) => {
      const resource = fleet.worker('worker-1').function.node.defaultChild as CfnFunction
      resource.timeout = 300
    })
    expect(message).toContain(
      'worker "worker-1" (Shop/Jobs/Workers/worker-1/Function): `timeout` is 300 s, and queue "default" hides a message for 90 s',
    )
  })

  test('that has more layers than Lambda takes', () => {
    const message = refusalOf((stack) => {
      const layers = [1, 2, 3].map((n) =>
        LayerVersion.fromLayerVersionArn(
          stack,
          `Layer${n}`,
          `arn:aws:lambda:eu-west-1:123456789012:layer:l:${n}`,
        ),
      )
      return { ...small, layers, workers: { 'worker-1': { layers } } }
    })
    expect(message).toContain(
      "Shop/Jobs/Workers/worker-1: `layers` are 6, the fleet's and the worker's together, and Lambda takes 5",
    )
  })
})

describe('what has no use is refused', () => {
  test('a bucket without blobs', () => {
    const message = refusalOf((stack) => ({ ...small, bucket: new Bucket(stack, 'Mine') }))
    expect(message).toContain('Shop/Jobs: `bucket` is given, and the config has no `blobs`')
  })

  test('security groups and subnets without a VPC', () => {
    expect(refusalOf({ ...small, workers: { 'worker-1': { securityGroups: [] } } })).toContain(
      '`securityGroups` are given and the fleet has no `vpc`',
    )
    expect(refusalOf({ ...small, vpcSubnets: {} })).toContain('`vpcSubnets` are given and no `vpc`')
  })

  test('a client without access', () => {
    const { stack, fleet } = stackFleet(small)
    expect(() => fleet.addClient(userFunction(stack), {})).toThrow(
      'Shop/Jobs: `addClient` gives Shop/Web no access; say what it does: { submit: true }, { read: true }, { manage: true }, { inspect: true }, { operate: true } or { monitor: true }',
    )
  })

  test('an access that there is none of', () => {
    const { stack, fleet } = stackFleet(small)
    expect(() => fleet.addClient(userFunction(stack), { submits: true } as object)).toThrow(
      'Shop/Jobs: `addClient` of Shop/Web has an unknown option `submits`; did you mean "submit"?',
    )
  })

  test('a client of two fleets, and a worker as a client', () => {
    const { stack, fleet } = stackFleet(small)
    const other = new ErrandFleet(stack, 'Other', small)
    const web = userFunction(stack)
    fleet.addClient(web, { submit: true })
    fleet.addClient(web, { read: true })
    expect(() => other.addClient(web, { submit: true })).toThrow(
      'Shop/Other: `addClient` is given Shop/Web, which has the variables of Shop/Jobs already, and they hold one fleet; use `grantSubmit`',
    )
    const worker = fleet.worker('worker-1').function
    expect(() => other.addClient(worker, { submit: true })).toThrow(
      'which has the variables of Shop/Jobs already',
    )
    expect(() => fleet.addClient(worker, { submit: true })).toThrow(
      'Shop/Jobs: `addClient` is given Shop/Jobs/Workers/worker-1/Function, a function of the fleet itself',
    )
  })

  test('a threshold that can never be reached', () => {
    expect(refusalOf({ ...small, alarms: { throttles: 0 } })).toContain(
      'Shop/Jobs: `alarms.throttles` is 0, expected a number over 0; `alarms: false` makes none',
    )
  })
})

describe('warnings are given of', () => {
  test('batches in little memory, and messages kept as long as dead letters', () => {
    const warnings = warningsOf(stackFleet(odd('tight')))
    expect(warnings).toEqual([
      expect.stringContaining(
        'queue "kept" keeps messages for 1209600 s: SQS counts the 14 days of the dead-letter queue from the send',
      ),
      expect.stringContaining('worker "foo": `memoryMiB` is 128, and 5 calls at once share it'),
    ])
  })

  test('more invocations than an account has', () => {
    expect(warningsOf(stackFleet(odd('wide')))).toEqual([
      expect.stringContaining(
        'the workers of wide may take 1204 invocations at once, and an account has 1000 unless it was raised',
      ),
    ])
  })

  test('modules that no layer has', () => {
    expect(warningsOf(stackFleet({ ...small, externalModules: ['sharp', '@aws-sdk/client-s3'] }))).toEqual([
      expect.stringContaining('`externalModules` leaves sharp out of the bundle'),
    ])
  })

  test('a topic that no alarm tells', () => {
    const made = stackFleet((stack: Stack) => ({
      ...small,
      alarms: false,
      alarmTopic: new Topic(stack, 'Topic'),
    }))
    expect(warningsOf(made)).toEqual([expect.stringContaining('`alarmTopic` is given and `alarms` is false')])
  })
})
