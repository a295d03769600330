/**
 * Standard output as CloudWatch Logs reads it: the rules of the embedded metric format, and the metrics that it makes.
 * @module
 */
import type { MetricLines } from '../../src/handlers/metrics.ts'

interface Directive {
  readonly Namespace: string
  readonly Dimensions: readonly (readonly string[])[]
  readonly Metrics: readonly { readonly Name: string; readonly Unit?: string }[]
}

type Line = Readonly<Record<string, unknown>> & {
  readonly _aws: { readonly Timestamp: number; readonly CloudWatchMetrics: readonly Directive[] }
}

/** Keeps the lines. */
export function keptMetricLines(level = 'INFO'): MetricLines & { readonly lines: string[] } {
  const lines: string[] = []
  return { lines, level, write: (line) => void lines.push(line) }
}

const isText = (value: unknown, max: number) =>
  typeof value === 'string' && value.length > 0 && value.length <= max

const isNumber = (value: unknown) =>
  typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 2 ** 360

/** A metric's value: a number, or 1 to 100 of them. */
const isValue = (value: unknown) =>
  Array.isArray(value) ? value.length > 0 && value.length <= 100 && value.every(isNumber) : isNumber(value)

function flawsOfDirective(line: Line, { Namespace, Dimensions, Metrics }: Directive): string[] {
  const flaws: string[] = []
  if (!isText(Namespace, 255) || Namespace.startsWith('AWS/')) flaws.push(`namespace ${Namespace}`)
  if (Dimensions.length === 0) flaws.push('no dimension set')
  for (const name of Dimensions.flat()) {
    if (!isText(name, 255) || name.startsWith(':')) flaws.push(`dimension ${name}`)
    const value = line[name]
    // ASCII without controls, and not of spaces alone.
    if (!isText(value, 1024) || !/^[ -~]*[!-~][ -~]*$/.test(String(value)))
      flaws.push(`value of ${name}: ${value}`)
  }
  if (Dimensions.some((set) => set.length > 30)) flaws.push('more than 30 dimensions')
  if (Metrics.length === 0 || Metrics.length > 100) flaws.push(`${Metrics.length} metrics`)
  for (const { Name, Unit } of Metrics) {
    if (!isText(Name, 255)) flaws.push(`metric ${Name}`)
    if (Unit !== 'Count' && Unit !== 'Milliseconds') flaws.push(`unit ${Unit} of ${Name}`)
    if (!isValue(line[Name])) flaws.push(`value of ${Name}: ${JSON.stringify(line[Name])}`)
  }
  return flaws
}

/** What the specification and `PutMetricData` would refuse in a line; and numbers that no metric is made of. */
export function flawsOfMetricLine(text: string): string[] {
  if (!/^[^\n]+\n$/.test(text)) return ['not one line']
  if (Buffer.byteLength(text) > 256 * 1024) return ['more than 256 KiB']
  const line = JSON.parse(text) as Line
  const { Timestamp, CloudWatchMetrics } = line._aws
  const flaws = CloudWatchMetrics.flatMap((directive) => flawsOfDirective(line, directive))
  if (!Number.isInteger(Timestamp)) flaws.push(`time ${Timestamp}`)
  const named = CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name))
  for (const [name, value] of Object.entries(line)) {
    if (typeof value !== 'string' && name !== '_aws' && !named.includes(name)) flaws.push(`stray ${name}`)
  }
  return flaws
}

/** All values of a metric, by its dimensions as `App=shop Queue=low`, in the order of the lines. */
export function metricsOf(lines: readonly string[]): Map<string, Record<string, readonly number[]>> {
  const metrics = new Map<string, Record<string, readonly number[]>>()
  for (const text of lines) {
    const line = JSON.parse(text) as Line
    for (const { Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
      for (const set of Dimensions) {
        const key = set.map((name) => `${name}=${line[name]}`).join(' ')
        const values = metrics.get(key) ?? {}
        metrics.set(key, values)
        for (const { Name } of Metrics)
          values[Name] = [...(values[Name] ?? []), line[Name] as number[]].flat()
      }
    }
  }
  return metrics
}

/** The sums of the counters of a metric's dimensions, as an alarm would see them. */
export function sumsOf(lines: readonly string[], dimensions: string): Record<string, number> {
  const values = Object.entries(metricsOf(lines).get(dimensions) ?? {})
  const counters = values.filter(([name]) => !name.endsWith('Milliseconds'))
  return Object.fromEntries(counters.map(([name, counts]) => [name, counts.reduce((a, b) => a + b, 0)]))
}
