/**
 * What a page of the monitor does where scripts run: it draws the charts, and asks for what is new while it is visible.
 * It knows no data of its own: charts are drawn from their tables, and what is new comes as the same page, of which the
 * parts marked `data-live` are taken over. The server has escaped them, and nothing of them is run.
 */
/* global uPlot */
;(() => {
  const root = document.documentElement
  const status = document.getElementById('live')
  const plots = new Map()

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim()
  const two = (number) => String(number).padStart(2, '0')

  const shown = {
    count: (value) => value.toLocaleString('en-US'),
    share: (value) => `${Number((value * 100).toFixed(1))} %`,
    milliseconds: (value) => {
      if (value < 1000) return `${Math.round(value)} ms`
      if (value < 60_000) return `${Number((value / 1000).toFixed(1))} s`
      if (value < 3_600_000) return `${Number((value / 60_000).toFixed(1))} min`
      return `${Number((value / 3_600_000).toFixed(1))} h`
    },
  }

  /** The numbers of a chart's table, by column. */
  function readTable(figure) {
    const rows = [...figure.querySelectorAll('tbody tr')]
    const heads = [...figure.querySelectorAll('thead th[data-tone]')]
    const times = rows.map((row) => Number(row.querySelector('th').dataset.at))
    const tracks = heads.map((head, column) => ({
      label: head.textContent,
      tone: head.dataset.tone,
      values: rows.map((row) => {
        const { value } = row.querySelectorAll('td')[column].dataset
        return value === undefined ? null : Number(value)
      }),
    }))
    return { times, tracks }
  }

  /** Bars stand on each other: the last is drawn first, at the height of all. */
  function stacked(tracks) {
    return tracks
      .map((track, index) => ({
        ...track,
        raw: track.values,
        values: track.values.map((_, at) =>
          tracks.slice(0, index + 1).reduce((sum, { values }) => sum + (values[at] ?? 0), 0),
        ),
      }))
      .reverse()
  }

  function timeOf(seconds, withSeconds) {
    const date = new Date(seconds * 1000)
    const minutes = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
    return withSeconds ? `${minutes}:${two(date.getUTCSeconds())}` : minutes
  }

  function axesOf(unit, withSeconds) {
    const axis = {
      stroke: colour('faint'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    }
    return [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        space: 64,
        values: (_, splits) => splits.map((split) => timeOf(split, withSeconds)),
      },
      { ...axis, size: 58, space: 28, values: (_, splits) => splits.map((split) => shown[unit](split)) },
    ]
  }

  function seriesOf(track, kind, unit) {
    const isBar = kind === 'bars'
    const tone = colour(track.tone)
    return {
      label: track.label,
      stroke: tone,
      width: isBar ? 0 : 2,
      fill: isBar ? tone : undefined,
      paths: isBar ? uPlot.paths.bars({ size: [0.8, 28] }) : uPlot.paths.linear(),
      // A line that is long enough needs no points; a value that stands alone has nothing else.
      points: {
        show: !isBar && track.values.filter((value) => value !== null).length < 9,
        size: 5,
        fill: tone,
      },
      spanGaps: true,
      value: (_, __, ___, at) => {
        const value = at === null || at === undefined ? null : (track.raw ?? track.values)[at]
        return value === null || value === undefined ? '' : shown[unit](value)
      },
    }
  }

  function draw(figure) {
    const place = figure.querySelector('.plot')
    plots.get(place)?.destroy()
    const { kind, unit } = figure.dataset
    const { times, tracks } = readTable(figure)
    if (times.length === 0) return
    const drawn = kind === 'bars' ? stacked(tracks) : tracks
    const step = times.length > 1 ? times[1] - times[0] : 60
    const top = { count: 4, milliseconds: 10, share: 0.1 }[unit]
    const options = {
      width: place.clientWidth,
      height: 150,
      legend: {
        live: true,
        markers: { width: 0, fill: (plot, index) => plot.series[index].stroke(plot, index) },
      },
      cursor: { points: { size: 7 }, drag: { setScale: false, x: false, y: false }, y: false },
      scales: {
        x: { time: true, range: () => [times[0] - step / 2, times.at(-1) + step / 2] },
        y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.1, top)] },
      },
      axes: axesOf(unit, step < 60),
      series: [
        { label: 'UTC', value: (_, at) => (at === null || at === undefined ? '' : timeOf(at, step < 60)) },
        ...drawn.map((track) => seriesOf(track, kind, unit)),
      ],
    }
    plots.set(place, new uPlot(options, [times, ...drawn.map(({ values }) => values)], place))
  }

  function drawAll(within = document) {
    if (typeof uPlot === 'undefined') return
    root.classList.add('drawn')
    for (const [place, plot] of plots) {
      if (place.isConnected) continue
      plot.destroy()
      plots.delete(place)
    }
    for (const figure of within.querySelectorAll('figure.chart')) draw(figure)
  }

  const focusable = 'a, button, input, select, summary, [tabindex]'

  /** Takes a part over, and keeps what its reader did: focus, what was opened, where it was scrolled to. */
  function takeOver(part, fresh) {
    if (part.innerHTML === fresh.innerHTML) return
    const index = [...part.querySelectorAll(focusable)].indexOf(document.activeElement)
    // What somebody is writing in is left alone.
    if (index >= 0 && document.activeElement.matches('input, select')) return
    const opened = new Set([...part.querySelectorAll('details[open]')].map(({ id }) => id))
    const scrolled = [...part.querySelectorAll('.scroll')].map(({ scrollLeft }) => scrollLeft)
    part.replaceChildren(...fresh.childNodes)
    for (const details of part.querySelectorAll('details')) if (opened.has(details.id)) details.open = true
    for (const [at, place] of [...part.querySelectorAll('.scroll')].entries())
      place.scrollLeft = scrolled[at] ?? 0
    if (index >= 0) part.querySelectorAll(focusable)[index]?.focus({ preventScroll: true })
    drawAll(part)
  }

  function isSelecting() {
    const selection = document.getSelection()
    return selection !== null && !selection.isCollapsed
  }

  let etag
  let isPaused = false
  let timer

  async function refresh() {
    const headers = { accept: 'text/html', ...(etag && { 'if-none-match': etag }) }
    const response = await fetch(location.href, { headers, cache: 'no-store', redirect: 'error' })
    if (response.status === 304) return
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    if (!response.ok)
      throw new Error(fresh.querySelector('.note')?.textContent ?? `status ${response.status}`)
    etag = response.headers.get('etag')
    for (const part of document.querySelectorAll('[data-live]')) {
      const same = fresh.querySelector(`[data-live="${part.dataset.live}"]`)
      if (same !== null) takeOver(part, same)
    }
  }

  function say(text, isBad) {
    if (status.firstChild?.textContent !== text) status.firstChild.textContent = text
    status.classList.toggle('bad', isBad)
  }

  async function turn(seconds) {
    if (!document.hidden && !isPaused && !isSelecting()) {
      try {
        await refresh()
        say('Live', false)
      } catch {
        say('Not up to date: trying again', true)
      }
    }
    timer = setTimeout(turn, seconds * 1000, seconds)
  }

  function startLive(seconds) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'Pause'
    button.addEventListener('click', () => {
      isPaused = !isPaused
      button.textContent = isPaused ? 'Go on' : 'Pause'
      say(isPaused ? 'Paused' : 'Live', false)
    })
    status.append(document.createElement('span'), button)
    say('Live', false)
    timer = setTimeout(turn, seconds * 1000, seconds)
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return
      clearTimeout(timer)
      turn(seconds)
    })
  }

  drawAll()
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawAll())
  let width = window.innerWidth
  window.addEventListener('resize', () => {
    if (window.innerWidth === width) return
    width = window.innerWidth
    drawAll()
  })
  const { refreshSeconds } = document.body.dataset
  if (refreshSeconds !== undefined) startLive(Number(refreshSeconds))
})()
