// A bar chart by hour, in SVG made by DOM calls: the policy of this page forbids inline styles, and data must not
// become markup.

const SVG = 'http://www.w3.org/2000/svg'
const LEFT = 40
const RIGHT = 4
const TOP = 24
const BOTTOM = 26

function element(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.append(...children)
  return made
}

/** A share of fewer flights than this says little: its bar is pale, and is not called the peak. */
const ENOUGH_FLIGHTS = 100

/** A round number over `highest`, and the steps to it. */
function scaleOf(highest) {
  const step = [0.02, 0.05, 0.1, 0.2].find((each) => highest <= each * 5) ?? 0.25
  const top = Math.max(step, Math.ceil(highest / step - 1e-9) * step)
  return { top, ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step) }
}

/** Draws `lateShare` of each hour into `parent`, as wide as it is; it is drawn anew when that changes. */
export function drawChart(parent, byHour, format) {
  observer.disconnect()
  redraw = () => draw(parent, byHour, format)
  redraw()
  observer.observe(parent)
}

let redraw = () => {}
let drawnWidth = 0
const observer = new ResizeObserver(([entry]) => {
  if (Math.round(entry.contentRect.width) !== drawnWidth) redraw()
})

function draw(parent, byHour, format) {
  // In real pixels, so that the text is as large on a phone as on a desk.
  const width = Math.max(Math.round(parent.clientWidth), 240)
  drawnWidth = Math.round(parent.clientWidth)
  const height = width < 560 ? 200 : 280
  const shares = byHour.map(({ lateShare }) => lateShare ?? 0)
  const highest = Math.max(...shares)
  const { top, ticks } = scaleOf(highest)
  const yOf = (share) => TOP + (height - TOP - BOTTOM) * (1 - share / top)
  const slot = (width - LEFT - RIGHT) / byHour.length
  const telling = byHour.filter(({ flights }) => flights >= ENOUGH_FLIGHTS)
  const peak = Math.max(0, ...telling.map(({ lateShare }) => lateShare))
  const grid = ticks.map((tick) => gridLine(tick, yOf(tick), width))
  const isPeak = (row) => telling.includes(row) && peak > 0 && row.lateShare === peak
  // The peak comes last, so that its label lies over its neighbours.
  const bars = byHour
    .toSorted((a, b) => isPeak(a) - isPeak(b))
    .map((row) => {
      const everyLabel = width >= 560 || row.hour % 6 === 0
      return bar({ row, x: LEFT + slot * row.hour, slot, yOf, isPeak: isPeak(row), everyLabel, format })
    })
  const title = element('title', {}, 'Share of late flights by hour of departure; the table has the figures')
  const chart = element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' }, title, ...grid, ...bars)
  parent.replaceChildren(chart)
}

function gridLine(tick, y, width) {
  const line = element('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y, y2: y })
  const label = element('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, `${Math.round(tick * 100)}%`)
  return element('g', {}, line, label)
}

function bar({ row, x, slot, yOf, isPeak, everyLabel, format }) {
  const share = row.lateShare ?? 0
  const middle = x + slot / 2
  const shape = element('rect', {
    class: `bar${isPeak ? ' peak' : ''}${row.flights < ENOUGH_FLIGHTS ? ' few' : ''}`,
    x: x + slot * 0.12,
    width: slot * 0.76,
    y: yOf(share),
    height: yOf(0) - yOf(share),
  })
  const hour = String(row.hour).padStart(2, '0')
  shape.append(element('title', {}, `${hour}:00: ${format(row.lateShare)} of ${row.flights} flights`))
  const group = element('g', {}, shape)
  const under = { x: middle, y: yOf(0) + 18, 'text-anchor': 'middle' }
  if (everyLabel) group.append(element('text', under, hour))
  if (isPeak) {
    // Kept off the labels of the axis, which the first hours are beside.
    const over = {
      class: 'value',
      x: Math.max(middle, LEFT + 24),
      y: yOf(share) - 7,
      'text-anchor': 'middle',
    }
    group.append(element('text', over, format(row.lateShare)))
  }
  return group
}
