/**
 * An app's workers as AWS has them, on wire servers: functions whose handlers answer Lambda's API, queues with their
 * dead-letter queues. No event source mapping polls: nothing takes a message.
 * @module
 */
import { type Config, createExecutor, defineConfig, type Executor } from 'errand'
import { workerHandler } from 'errand/lambda'
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import type { FauxqsServer } from './fauxqs.ts'
import { type DeployedFunction, type LambdaApi, startLambdaApi } from './lambda-api.ts'
import { connectionTo, loopbackRegion, type WireServer } from './loopback-connection.ts'

/** A fleet that is deployed. */
export interface DeployedFleet {
  readonly executor: Executor
  readonly aws: AwsOptions
  readonly api: LambdaApi
  close(): Promise<void>
}

let deployed = 0

/** Deploys an app: its queues under names of their own, and for each worker the function `<app>-<worker>`. */
export async function deployFleet(
  servers: { readonly sqs: FauxqsServer; readonly dynamodb: WireServer; readonly tableName: string },
  config: Config,
  tasks: TaskTree,
): Promise<DeployedFleet> {
  const { sqs, dynamodb, tableName } = servers
  const { name, queues, workers } = resolveConfig(config)
  const physical = new Map([...queues.keys()].map((queue) => [queue, `${name}-${queue}-${++deployed}`]))
  const arnOf = (queue: string) => `arn:aws:sqs:${loopbackRegion}:000000000000:${physical.get(queue)}`
  const deadLetters = await sqs.createQueues(
    Object.fromEntries([...physical.values()].map((queue) => [`${queue}-dlq`, {}])),
  )
  const redrive = (queue: string) =>
    JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:${loopbackRegion}:000000000000:${queue}-dlq`,
      maxReceiveCount: 100,
    })
  const urls = await sqs.createQueues(
    Object.fromEntries([...physical.values()].map((queue) => [queue, { RedrivePolicy: redrive(queue) }])),
  )
  const urlsByName = [...physical].flatMap(([queue, own]) => [
    [queue, urls[own] ?? ''] as const,
    [`${queue}-dead-letters`, deadLetters[`${own}-dlq`] ?? ''] as const,
  ])
  const functions: Record<string, DeployedFunction> = {}
  for (const worker of workers.values()) {
    const handler = workerHandler(createExecutor(defineConfig(config), { tasks, backend: 'aws' }), {
      worker: worker.name,
    })
    functions[`${name}-${worker.name}`] = {
      handler: (event) => handler(event as never),
      sources: worker.queues.map(arnOf),
    }
  }
  const lambda = await startLambdaApi(functions)
  const aws: AwsOptions = {
    tableName,
    queueUrls: Object.fromEntries(urlsByName),
    region: loopbackRegion,
    sqs: connectionTo(sqs),
    dynamodb: connectionTo(dynamodb),
    lambda: connectionTo(lambda),
    functions: Object.fromEntries(
      [...workers.values()].map(({ name: worker, queues }) => {
        const ids = queues.map((queue, index) => [queue, `${name}-${worker}-${index}`] as const)
        return [worker, { name: `${name}-${worker}`, mappings: Object.fromEntries(ids) }]
      }),
    ),
  }
  const executor = createExecutor(defineConfig(config), { tasks, backend: 'aws', aws }) as unknown as Executor
  return {
    executor,
    aws,
    api: lambda,
    async close() {
      await executor.close()
      await lambda.close()
    },
  }
}
