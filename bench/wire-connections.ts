/**
 * How both sides of the wire benches reach the servers, and how they know that all is done.
 * @module
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { AwsOptions } from 'errand'
import { loopbackCredentials, loopbackRegion } from '../test/support/loopback-connection.ts'
import type { HandMade } from './hand-written-calls.ts'
import type { Wire } from './wire-servers.ts'

/** What errand is given to reach the servers. */
export function awsOptions(wire: Wire): AwsOptions {
  return {
    region: loopbackRegion,
    tableName: wire.tableName,
    queueUrls: wire.queueUrls,
    sqs: { endpoint: wire.sqsEndpoint, credentials: loopbackCredentials },
    dynamodb: { endpoint: wire.dynamoDbEndpoint, credentials: loopbackCredentials },
  }
}

/** The SDK's clients for one of the queues, with the settings that errand gives its own. */
export function madeByHand(wire: Wire, queue: string): HandMade {
  const settings = {
    region: loopbackRegion,
    credentials: loopbackCredentials,
    requestHandler: {
      connectionTimeout: 1000,
      requestTimeout: 5000,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true },
      httpsAgent: { keepAlive: true },
    },
  }
  return {
    sqs: new SQSClient({ ...settings, endpoint: wire.sqsEndpoint, md5: false }),
    dynamodb: new DynamoDBClient({ ...settings, endpoint: wire.dynamoDbEndpoint }),
    queueUrl: wire.queueUrls[queue] ?? '',
    tableName: wire.tableName,
  }
}

/** A worker's messages as they are done. */
export interface Done {
  readonly add: (messages: number) => void
  /** Resolves when so many more are done. */
  readonly count: (messages: number) => Promise<void>
}

/** Counts messages. */
export function countDone(): Done {
  let left = 0
  let end = () => {}
  return {
    add(messages) {
      left -= messages
      if (left === 0) end()
    },
    count(messages) {
      left = messages
      return new Promise((resolve) => {
        end = resolve
      })
    },
  }
}
