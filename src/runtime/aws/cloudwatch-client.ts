/**
 * The CloudWatch client. `@aws-sdk/client-cloudwatch` is an optional peer: it is loaded when somebody first looks at charts.
 * @module
 */
import type * as CloudWatchSdk from '@aws-sdk/client-cloudwatch'
import { NotWiredError } from '../errors.ts'
import {
  clientConfig,
  type Environment,
  type Lazy,
  lazily,
  type PeerOptions,
  requestHandler,
} from './aws-clients.ts'

/** How to reach CloudWatch. */
export type CloudWatchOptions = PeerOptions

/** One statistic of one metric. */
export interface MetricQuery {
  /** By what it is found in the answer: a lower-case letter, then letters and digits. */
  readonly id: string
  readonly metricName: string
  /** `Sum`, `p95` */
  readonly statistic: string
}

/** What is asked of CloudWatch at once. */
export interface MetricsRequest {
  readonly namespace: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly queries: readonly MetricQuery[]
  readonly from: Date
  readonly until: Date
  readonly periodSeconds: number
}

/** The values of one query. */
export interface MetricValues {
  readonly id: string
  /** Epoch milliseconds and values, in no order. */
  readonly values: readonly (readonly [at: number, value: number])[]
  /** CloudWatch's word for why some are missing; absent where none is. */
  readonly problem?: string
}

/** CloudWatch, connected: the one request that is made of it. */
export interface CloudWatchConnection {
  /** All values, page by page. */
  data(request: MetricsRequest): Promise<readonly MetricValues[]>
}

/** A chart is not worth more: its page has others to show. */
const MAX_ATTEMPTS = 2

/** An answer of charts fits into one page by far; a server that never ends is not followed. */
const MAX_PAGES = 5

/** The CloudWatch client, not yet made. */
export function lazyCloudWatch(
  options: CloudWatchOptions,
  env: Environment,
  region?: string,
): Lazy<CloudWatchConnection> {
  const given = options.client as CloudWatchSdk.CloudWatchClient | undefined
  const connection = lazily(loadSdk, given, (sdk) => {
    const config = clientConfig('CLOUDWATCH', options, env, region)
    return new sdk.CloudWatchClient({ ...config, maxAttempts: MAX_ATTEMPTS, requestHandler })
  })
  return {
    async get() {
      const { client, sdk } = await connection.get()
      return {
        async data(request) {
          const input = inputOf(request)
          const results: CloudWatchSdk.MetricDataResult[] = []
          let token: string | undefined
          for (let page = 0; page < MAX_PAGES; page++) {
            const next = token === undefined ? {} : { NextToken: token }
            const answer = await client.send(new sdk.GetMetricDataCommand({ ...input, ...next }))
            results.push(...(answer.MetricDataResults ?? []))
            token = answer.NextToken
            if (token === undefined) break
          }
          return results.map(valuesOf)
        },
      }
    },
    close: connection.close,
  }
}

function inputOf(request: MetricsRequest): CloudWatchSdk.GetMetricDataCommandInput {
  const { namespace, dimensions, queries, from, until, periodSeconds } = request
  const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }))
  return {
    StartTime: from,
    EndTime: until,
    ScanBy: 'TimestampAscending',
    MetricDataQueries: queries.map(({ id, metricName, statistic }) => ({
      Id: id,
      MetricStat: {
        Metric: { Namespace: namespace, MetricName: metricName, Dimensions },
        Period: periodSeconds,
        Stat: statistic,
      },
    })),
  }
}

function valuesOf(result: CloudWatchSdk.MetricDataResult): MetricValues {
  const { Id = '', Timestamps = [], Values = [], StatusCode } = result
  const isWhole = StatusCode === undefined || StatusCode === 'Complete' || StatusCode === 'PartialData'
  return {
    id: Id,
    values: Timestamps.map((time, index) => [time.getTime(), Values[index] ?? 0] as const),
    ...(!isWhole && { problem: StatusCode }),
  }
}

/** Literal, so that bundlers see it; with a `catch`, so that they do not insist on it. */
function loadSdk(): Promise<typeof CloudWatchSdk> {
  return import('@aws-sdk/client-cloudwatch').catch((cause: unknown) => {
    throw new NotWiredError(
      'to read metrics the package @aws-sdk/client-cloudwatch is needed, and cannot be loaded (see cause): `npm i @aws-sdk/client-cloudwatch`',
      { cause },
    )
  })
}
