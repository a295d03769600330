/**
 * Charts: a table that the page's script draws. With script off the table is what there is, and screen readers have it
 * in any case.
 * @module
 */
import { html } from 'hono/html'
import type { Bucket, Series } from './figures.ts'
import { type Html, note } from './layout.ts'
import { count, duration, percent } from './shown-text.ts'

/** One line, or one kind of bar. */
interface Track {
  readonly label: string
  /** The colour, as the style sheet names it. */
  readonly tone: 'good' | 'bad' | 'main' | 'second' | 'third'
  /** The number to draw; `undefined` where there is none. */
  value(bucket: Bucket): number | undefined
}

/** How a chart looks. */
interface Chart {
  readonly id: string
  readonly title: string
  readonly kind: 'bars' | 'lines'
  readonly unit: 'count' | 'milliseconds' | 'share'
  readonly tracks: readonly Track[]
}

const charts: readonly Chart[] = [
  {
    ...{ id: 'throughput', title: 'Calls that ended', kind: 'bars', unit: 'count' },
    tracks: [
      { label: 'succeeded', tone: 'good', value: ({ succeeded }) => succeeded },
      { label: 'failed', tone: 'bad', value: ({ failed }) => failed },
    ],
  },
  {
    ...{ id: 'times', title: 'Run and wait', kind: 'lines', unit: 'milliseconds' },
    tracks: [
      { label: 'run p50', tone: 'main', value: ({ run }) => run?.p50 },
      { label: 'run p95', tone: 'second', value: ({ run }) => run?.p95 },
      { label: 'wait p95', tone: 'third', value: ({ wait }) => wait?.p95 },
    ],
  },
  {
    ...{ id: 'failures', title: 'Failure rate', kind: 'lines', unit: 'share' },
    tracks: [{ label: 'failed', tone: 'bad', value: failureRate }],
  },
]

function failureRate({ succeeded, failed }: Bucket): number | undefined {
  return succeeded + failed === 0 ? undefined : failed / (succeeded + failed)
}

/** The three charts of a series. */
export function chartsOf(series: Series): Html {
  if (series.calls === 0) return note('No calls were submitted in this time.')
  return html`<div class="charts">${charts.map((chart) => figure(chart, series))}</div>`
}

function figure({ id, title, kind, unit, tracks }: Chart, { buckets, bucketMs }: Series): Html {
  const show = { count, milliseconds: duration, share: percent }[unit]
  const rows = buckets.map((bucket) => {
    const cells = tracks.map((track) => {
      const value = track.value(bucket)
      return value === undefined
        ? html`<td class="number">–</td>`
        : html`<td class="number" data-value="${value}">${show(value)}</td>`
    })
    const time = new Date(bucket.at).toISOString()
    return html`<tr><th scope="row" data-at="${bucket.at / 1000}">${time.slice(11, 19)}</th>${cells}</tr>`
  })
  const heads = tracks.map(({ label, tone }) => html`<th scope="col" data-tone="${tone}">${label}</th>`)
  return html`<figure class="chart" data-kind="${kind}" data-unit="${unit}">
<figcaption>${title} <small>per ${duration(bucketMs)}</small></figcaption>
<div class="plot" aria-hidden="true"></div>
<details id="chart-${id}"><summary>As a table<span class="unseen">: ${title}</span></summary>
<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table><thead><tr><th scope="col">From, UTC</th>${heads}</tr></thead><tbody>${rows}</tbody></table></div>
</details></figure>`
}
