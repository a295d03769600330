/**
 * CloudWatch's API on the wire, for tests: `GetMetricData` alone, over lines in the embedded metric format as workers write
 * them. It answers the real SDK, and refuses what CloudWatch refuses.
 * @module
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireServer } from './loopback-connection.ts'

/** What is asked, in AWS's words. */
export interface MetricDataRequest {
  /** Epoch seconds. */
  readonly StartTime: number
  readonly EndTime: number
  readonly NextToken?: string
  readonly MetricDataQueries: readonly {
    readonly Id: string
    readonly MetricStat: {
      readonly Metric: {
        readonly Namespace: string
        readonly MetricName: string
        readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[]
      }
      readonly Period: number
      readonly Stat: string
    }
  }[]
}

/** The API, listening. */
export interface CloudWatchApi extends WireServer {
  /** What was asked, in its order. */
  readonly requests: readonly MetricDataRequest[]
  /** Takes the lines that a worker has written. */
  take(lines: readonly string[]): void
  /** Refuses every request from now on with this exception; `undefined` refuses none. */
  refuse(type: string | undefined): void
}

interface Value {
  readonly series: string
  readonly at: number
  readonly value: number
}

interface State {
  readonly values: Value[]
  readonly requests: MetricDataRequest[]
  refusal?: string | undefined
}

/** Results of one page; a real one has 100,800 values. */
const PAGE = 6

/** Starts it on a free port of the loopback address. */
export async function startCloudWatchApi(): Promise<CloudWatchApi> {
  const state: State = { values: [], requests: [] }
  const server = createServer((request, response) => {
    text(request)
      .then((body) => answer(state, request.headers['x-amz-target'], body, response))
      .catch((error: unknown) => send(response, 500, { __type: 'InternalFailure', message: String(error) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: state.requests,
    take: (lines) => state.values.push(...lines.flatMap(valuesOf)),
    refuse(type) {
      state.refusal = type
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
  response.end(JSON.stringify(body))
}

function answer(state: State, target: unknown, body: string, response: ServerResponse): void {
  const refuse = (type: string, message: string) => {
    send(response, 400, { __type: `com.amazonaws#${type}`, message })
  }
  if (target !== 'GraniteServiceVersion20100801.GetMetricData') {
    refuse('UnknownOperationException', String(target))
    return
  }
  const request = JSON.parse(body) as MetricDataRequest
  state.requests.push(request)
  if (state.refusal !== undefined) {
    refuse(state.refusal, 'refused')
    return
  }
  const flaw = flawOf(request)
  if (flaw !== undefined) {
    refuse('InvalidParameterValueException', flaw)
    return
  }
  const from = Number(request.NextToken ?? 0)
  const queries = request.MetricDataQueries.slice(from, from + PAGE)
  const hasMore = from + PAGE < request.MetricDataQueries.length
  send(response, 200, {
    MetricDataResults: queries.map((query) => resultOf(state, request, query)),
    ...(hasMore && { NextToken: String(from + PAGE) }),
  })
}

/** What CloudWatch would refuse. */
function flawOf({ StartTime, EndTime, MetricDataQueries }: MetricDataRequest): string | undefined {
  if (!(StartTime < EndTime)) return 'StartTime must be less than EndTime'
  if (MetricDataQueries.length > 500) return 'over 500 queries'
  const ids = new Set(MetricDataQueries.map(({ Id }) => Id))
  if (ids.size < MetricDataQueries.length) return 'an Id twice'
  for (const { Id, MetricStat } of MetricDataQueries) {
    if (!/^[a-z][a-zA-Z0-9_]*$/.test(Id)) return `Id ${Id}`
    const { Period, Stat, Metric } = MetricStat
    if (!Number.isInteger(Period / 60)) return `Period ${Period}`
    if (StartTime % Period !== 0) return `StartTime ${StartTime} would be rounded to the period`
    if (!/^(Sum|Average|Maximum|Minimum|SampleCount|p\d{1,2})$/.test(Stat)) return `Stat ${Stat}`
    if (Metric.Dimensions.length > 30) return 'over 30 dimensions'
  }
  return undefined
}

function seriesKey(namespace: string, name: string, dimensions: readonly (readonly [string, string])[]) {
  const sorted = dimensions.map(([key, value]) => `${key}=${value}`).sort()
  return `${namespace} ${name} ${sorted.join(' ')}`
}

/** What CloudWatch makes of a line: each value, for each set of dimensions. */
function valuesOf(line: string): Value[] {
  const { _aws, ...fields } = JSON.parse(line)
  return _aws.CloudWatchMetrics.flatMap(
    ({
      Namespace,
      Dimensions,
      Metrics,
    }: {
      Namespace: string
      Dimensions: string[][]
      Metrics: { Name: string }[]
    }) =>
      Dimensions.flatMap((set) =>
        Metrics.flatMap(({ Name }) => {
          const series = seriesKey(
            Namespace,
            Name,
            set.map((key) => [key, fields[key]] as const),
          )
          return [fields[Name]].flat().map((value) => ({ series, at: _aws.Timestamp, value }))
        }),
      ),
  )
}

function resultOf(
  { values }: State,
  { StartTime, EndTime }: MetricDataRequest,
  { Id, MetricStat }: MetricDataRequest['MetricDataQueries'][0],
) {
  const { Metric, Period, Stat } = MetricStat
  const pairs = Metric.Dimensions.map(({ Name, Value }) => [Name, Value] as const)
  const series = seriesKey(Metric.Namespace, Metric.MetricName, pairs)
  const own = values.filter((value) => value.series === series)
  const within = own.filter(({ at }) => at >= StartTime * 1000 && at < EndTime * 1000)
  const stretches = [...Map.groupBy(within, ({ at }) => Math.floor(at / 1000 / Period) * Period)]
  return {
    Id,
    Label: Metric.MetricName,
    StatusCode: 'Complete',
    Timestamps: stretches.map(([at]) => at),
    Values: stretches.map(([, each]) =>
      statisticOf(
        Stat,
        each.map(({ value }) => value),
      ),
    ),
  }
}

function statisticOf(stat: string, values: readonly number[]): number {
  if (stat === 'Sum') return values.reduce((sum, value) => sum + value, 0)
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil((Number(stat.slice(1)) / 100) * sorted.length) - 1] ?? 0
}
