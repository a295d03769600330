/**
 * The monitor in a real browser, over ten thousand calls of every end. `SCREENSHOTS=docs/images npx vitest run
 * e2e/monitor` renews the pictures of the docs; with `SCREENSHOTS_ALL=1` every page is taken in every look.
 * @module
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { monitor as mountable, type RunningMonitor, startMonitor } from 'errand/monitor'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Misdeeds, startBrowser, watchedPage } from '../support/browser.ts'
import { busyShop, live } from '../support/busy-shop.ts'
import { hostileShop } from '../support/hostile-shop.ts'
import { hostileTexts } from '../support/hostile-texts.ts'
import { failedByReason, type Visit, visitsOf } from '../support/monitor-visits.ts'

let browser: Browser
let monitor: RunningMonitor
let visits: readonly Visit[]
const shop = busyShop()

beforeAll(async () => {
  await live(shop, 9800)
  visits = await visitsOf(shop)
  monitor = await startMonitor(shop.executor, {
    ...{ port: 0, manage: true, refreshSeconds: 1 },
    redact: { keys: ['number'] },
  })
  browser = await startBrowser()
})
afterAll(async () => {
  await browser?.close()
  await monitor?.close()
  // Attempts run, and their time stands still.
  await shop.clock.runUntil(shop.executor.close())
})

/** Opens a page of the monitor, logged in. */
async function open(path: string, options: BrowserContextOptions = {}) {
  const watched = await watchedPage(browser, monitor.origin, options)
  onTestFinished(() => watched.page.context().close())
  await watched.page.goto(monitor.url)
  if (path !== '/') await watched.page.goto(monitor.origin + path)
  return watched
}

const folder = process.env.SCREENSHOTS
const pictures = ['light-overview', 'dark-overview', 'phone-overview', 'light-call-retried']

async function shoot(page: Page, name: string): Promise<void> {
  const isWanted = process.env.SCREENSHOTS_ALL !== undefined || pictures.includes(name)
  if (folder === undefined || !isWanted) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `monitor-${name}.png`) })
}

const nothing: Misdeeds = { executed: 0, complaints: [], external: [] }

const phone = { width: 375, height: 1000 }
/** What axe looks at: each page once, with few rows where it can have many, and calls of each kind. */
const seenByAxe = [
  ...[
    'overview',
    'calls-filtered',
    'calls-refused',
    'failed-some',
    'retry-all',
    'tasks',
    'schedules',
    'queue-paused',
  ],
  ...['call-missing', 'call-retried', 'call-killed', 'call-running', 'call-report', 'call-pending'],
]

const looks: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', viewport: phone }],
]

test('the shop has calls of every state, and failures of every reason that there is', async () => {
  const { executor } = shop
  const states = ['pending', 'scheduled', 'running', 'retrying', 'succeeded', 'failed', 'cancelled'] as const
  for (const state of states) {
    const { calls } = await executor.inspect.calls({ state }, { lookAt: 20_000 })
    expect(calls.length, state).toBeGreaterThan(0)
  }
  expect([...(await failedByReason(shop)).keys()].toSorted()).toEqual([
    ...['expired', 'killed', 'result-too-large', 'threw', 'timed-out', 'undeliverable', 'unknown-task'],
  ])
  let [count, after] = [0, undefined as string | undefined]
  do {
    const page = await executor.inspect.calls({}, { size: 100, ...(after !== undefined && { after }) })
    count += page.calls.length
    after = page.next
  } while (after !== undefined)
  expect(count).toBeGreaterThanOrEqual(10_000)
})

test('every page that the monitor has is visited below', () => {
  const { routes } = mountable(shop.executor, { authorize: () => 'read' })
  const pages = routes.filter(({ method, path }) => method === 'GET' && !path.startsWith('/assets/'))
  const routesOf = (some: readonly Visit[]) => new Set(some.map(({ route }) => route))
  expect(routesOf(visits)).toEqual(new Set(pages.map(({ path }) => path)))
  expect(routesOf(visits.filter(({ name }) => seenByAxe.includes(name)))).toEqual(routesOf(visits))
})

describe.each(looks)('%s', (look, options) => {
  test('every page is sound, fits, and can be read by all', async () => {
    const { page, misdeeds } = await open('/', options)
    for (const { name, path, status = 200 } of visits) {
      const response = await page.goto(monitor.origin + path)
      expect(response?.status(), name).toBe(status)
      // Of a status that is no success the browser itself tells.
      expect(misdeeds.complaints.splice(0), name).toHaveLength(status === 200 ? 0 : 1)
      expect(misdeeds, name).toEqual(nothing)
      const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
      expect.soft(wide, `${name} is wider than its window`).toBeLessThanOrEqual(0)
      await shoot(page, `${look}-${name}`)
      if (look === 'phone' || !seenByAxe.includes(name)) continue
      const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] })
      // In the dark nothing but the colours is another.
      const { violations } = await (look === 'dark' ? axe.withRules('color-contrast') : axe).analyze()
      const told = violations.map(({ id, impact, nodes }) => `${name}: ${impact} ${id} ${nodes[0]?.html}`)
      expect.soft(told).toEqual([])
    }
  })
})

/** The texts of a column of the first table of calls. */
const column = (page: Page, label: string) =>
  page.locator(`table.calls td[data-label="${label}"]`).allTextContents()

describe('every filter', () => {
  test('of calls: queue, task, states, time, tenant and id, by the form alone; and pages of them', async () => {
    const { page, misdeeds } = await open('/calls')
    const filter = page.getByRole('search', { name: 'Filter calls' })
    await filter.getByLabel('Queue').selectOption('billing')
    await filter.getByLabel('Task').fill('orders.charge')
    await filter.getByLabel('retrying').check()
    await filter.getByLabel('failed').check()
    await filter.getByRole('button', { name: 'Filter' }).click()
    const states = await column(page, 'State')
    expect(new Set(states.map((text) => text.trim()))).toEqual(new Set(['retrying', 'failed']))
    expect(new Set(await column(page, 'Queue'))).toEqual(new Set(['billing']))
    expect(new Set((await column(page, 'Task')).map((text) => text.trim()))).toEqual(
      new Set(['orders.charge']),
    )
    expect(await filter.getByLabel('failed').isChecked()).toBe(true)
    await filter.getByText('Time and tenant').click()
    await filter.getByLabel('Tenant').fill('globex')
    await filter.getByLabel('Submitted from, UTC').fill('2026-10-06T08:00:00')
    await filter.getByLabel('up to, UTC').fill('2026-10-06T08:50:00')
    await filter.getByRole('button', { name: 'Filter' }).click()
    expect(new Set(await column(page, 'Tenant'))).toEqual(new Set(['globex']))
    const times = await column(page, 'Submitted')
    expect(times.every((time) => time >= '08:00:00' && time <= '08:50:00')).toBe(true)
    await filter.getByRole('link', { name: 'Clear' }).click()
    expect(page.url()).toBe(`${monitor.origin}/calls`)
    const newest = await page.locator('table.calls td.main a').first().getAttribute('href')
    await page.getByRole('link', { name: 'Older calls' }).click()
    expect(await page.locator('table.calls td.main a').first().getAttribute('href')).not.toBe(newest)
    await page.getByRole('link', { name: 'Newest' }).click()
    const id = String(newest).split('/').at(-1) ?? ''
    await page.getByRole('textbox', { name: 'Id' }).fill(` ${id} `)
    await page.getByRole('button', { name: 'Find' }).click()
    expect(page.url()).toBe(`${monitor.origin}/calls/${id}`)
    expect(misdeeds).toEqual(nothing)
  })

  test('of failed calls, and how far back the figures reach', async () => {
    const { page, misdeeds } = await open('/failed')
    const filter = page.getByRole('search', { name: 'Filter failed calls' })
    await filter.getByLabel('Queue').selectOption('billing')
    await filter.getByLabel('Task').fill('orders.charge')
    await filter.getByLabel('Failed since, UTC').fill('2026-10-06T08:00:00')
    await filter.getByRole('button', { name: 'Filter' }).click()
    const groups = page.getByRole('region', { name: 'Failures by task and error' })
    expect(await groups.locator('tbody th').allTextContents()).toEqual(['orders.charge', 'orders.charge'])
    await filter.getByRole('link', { name: 'Clear' }).click()
    await groups.getByRole('link', { name: 'loyalty.award' }).click()
    expect(await page.locator('table.calls tbody tr').count()).toBe(2)
    for (const path of ['/', '/tasks']) {
      await page.goto(monitor.origin + path)
      for (const range of ['15 min', '6 hours', '24 hours', '1 hour']) {
        await page.getByRole('link', { name: range, exact: true }).click()
        expect(await page.locator('.choice [aria-current]').textContent()).toBe(range)
        expect(await page.locator('.extent').first().textContent()).toMatch(
          /^Of (all|the newest) [\d,]+ calls/,
        )
      }
    }
    expect(misdeeds).toEqual(nothing)
  })
})

describe('every action', () => {
  const stateOf = (page: Page) => page.locator('h1 + .state').textContent()

  test('of a call: cancelled where it waits, aborted where it runs, retried where it failed', async () => {
    const { page, misdeeds } = await open('/calls?state=scheduled&queue=mail')
    await page.locator('table.calls td.main a').first().click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect(await stateOf(page)).toBe('cancelled')
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0)
    await page.goto(`${monitor.origin}/calls?state=running&task=video.transcode`)
    await page.locator('table.calls tr', { hasNotText: 'asked to stop' }).locator('a').first().click()
    await page.getByLabel('Reason').fill('the wrong clip')
    await page.getByRole('button', { name: 'Abort' }).click()
    expect(await page.locator('.facts').textContent()).toContain('the wrong clip')
    await page.goto(`${monitor.origin}/failed?task=exports.everything`)
    await page.locator('table.calls td.main a').first().click()
    await page.getByRole('button', { name: 'Retry' }).click()
    await shop.clock.advance({ minutes: 2 })
    await page.reload()
    expect(await page.locator('table.attempts tbody tr').count()).toBe(2)
    expect(misdeeds).toEqual(nothing)
  })

  test('of all that failed by a filter, counted first', async () => {
    const { page, misdeeds } = await open('/failed?task=loyalty.award')
    await page.getByRole('link', { name: 'Retry all of these…' }).click()
    expect(await page.locator('main').textContent()).toContain(
      'Retry 2 failed calls of the task loyalty.award',
    )
    await page.getByRole('button', { name: 'Retry 2' }).click()
    expect(await page.locator('.note').textContent()).toBe('2 calls are tried again.')
    await page.getByRole('link', { name: 'Go on' }).click()
    expect(await page.getByRole('link', { name: 'loyalty.award' }).count()).toBe(0)
    expect(misdeeds).toEqual(nothing)
  })

  test('of a queue, without scripts: paused, resumed, purged by its name', async () => {
    const { page } = await open('/queues/imports', { javaScriptEnabled: false })
    await page.getByRole('button', { name: 'Resume' }).click()
    expect(await stateOf(page)).toBe('OK')
    await page.getByRole('button', { name: 'Pause' }).click()
    expect(await stateOf(page)).toBe('paused')
    const typed = page.getByLabel('Type imports to purge it')
    await typed.fill('import')
    await page.getByRole('button', { name: 'Purge' }).click()
    expect(await page.getByRole('alert').textContent()).toContain('type the queue')
    await page.goBack()
    await typed.fill('imports')
    await page.getByRole('button', { name: 'Purge' }).click()
    expect(await page.locator('.note').textContent()).toMatch(/purged, and \d+ waiting calls were cancelled/)
    await page.getByRole('link', { name: 'Go on' }).click()
    expect(await page.locator('.tile .value').first().textContent()).toBe('0')
  })
})

describe('a person', () => {
  test('reaches all by keyboard, and sees where they are', async () => {
    const { page } = await open('/')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    const reached: string[] = []
    for (let step = 0; step < 30; step++) {
      await page.keyboard.press('Tab')
      reached.push(String(await page.evaluate('document.activeElement.textContent.trim()')))
    }
    expect(reached).toEqual(expect.arrayContaining(['media', '6 hours', 'All failed calls']))
    expect(reached.some((text) => text.startsWith('As a table'))).toBe(true)
    await page.goto(`${monitor.origin}/calls`)
    await page.getByLabel('Task', { exact: true }).focus()
    await page.keyboard.type('alerts.page')
    await page.keyboard.press('Enter')
    await page.waitForURL(/task=alerts/)
  })

  test('logs out, by keyboard and without scripts, and comes in again by the printed address', async () => {
    const { page } = await open('/calls', { javaScriptEnabled: false })
    await page.getByRole('button', { name: 'Log out' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('Open the address that was printed').waitFor()
    // What is left opens nothing: it is what forms are told by.
    expect((await page.context().cookies()).map(({ name }) => name)).toEqual(['errand-form'])
    // Nothing of it was kept, to be gone back to.
    await page.goBack()
    await page.getByText('Open the address that was printed').waitFor()
    await page.goto(monitor.url)
    expect(await page.getByRole('heading', { name: 'Overview' }).count()).toBe(1)
  })

  test('sees what is new without doing anything, and keeps what they opened', async () => {
    const { page, misdeeds } = await open('/')
    const table = page.locator('#chart-throughput')
    await table.locator('summary').click()
    const waiting = page
      .locator('[data-live="queues"] tr', { hasText: 'mailer' })
      .locator('td[data-label=Waiting]')
    const before = Number(await waiting.textContent())
    await shop.executor.queues.pause('mail')
    onTestFinished(() => shop.executor.queues.resume('mail'))
    await shop.executor.submit(shop.tasks.mail.send, 'new@example.com')
    await shop.clock.advance({ seconds: 2 })
    await expect.poll(() => waiting.textContent()).toBe(String(before + 1))
    expect(await table.getAttribute('open')).not.toBeNull()
    expect(await page.locator('.u-wrap').count()).toBe(3)
    await shop.executor.queues.resume('mail')
    await shop.clock.advance({ seconds: 2 })
    expect(misdeeds).toEqual(nothing)
  })
})

describe('where nothing can be read', () => {
  test('each part of the overview says so, and recovers', async () => {
    const { page } = await open('/')
    const { store } = shop.backend
    const { list, notices } = store
    const refuse = () => Promise.reject(new Error('connect ECONNREFUSED'))
    Object.assign(store, { list: refuse, notices: refuse })
    await shop.clock.advance({ seconds: 2 })
    await expect.poll(() => page.getByRole('alert').count()).toBe(3)
    expect(await page.getByRole('alert').first().textContent()).toContain('This cannot be read now')
    await shoot(page, 'light-store-down')
    Object.assign(store, { list, notices })
    await shop.clock.advance({ seconds: 2 })
    await expect.poll(() => page.getByRole('alert').count()).toBe(0)
  })

  test('an open page says that it is not up to date, and goes on', async () => {
    const { page } = await open('/tasks')
    await page.context().setOffline(true)
    await page.getByText('Not up to date: trying again').waitFor()
    await page.context().setOffline(false)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused', { exact: true }).waitFor()
  })
})

test('a page of another site can neither read nor act', async () => {
  const { page } = await open('/')
  const evil = await page.context().newPage()
  await evil.route('http://evil.test/', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method=post action="${monitor.origin}/queues/mail/pause"><button>x</button></form>`,
    }),
  )
  await evil.goto('http://evil.test/')
  const read = `fetch('${monitor.origin}/?format=json', { credentials: 'include' }).then((r) => r.text(), String)`
  expect(await evil.evaluate(read)).toContain('Failed to fetch')
  await evil.getByRole('button').click()
  // The cookie does not come along, so this is nobody.
  expect(await evil.textContent('body')).toContain('it holds a token')
  expect((await shop.executor.inspect.queues()).mail?.paused).toBe(false)
})

test('of hostile texts in every field nothing runs, nothing breaks out, nothing is asked for elsewhere', async () => {
  const { stage, paths } = await hostileShop()
  expect(hostileTexts.length).toBeGreaterThanOrEqual(40)
  const hostile = await startMonitor(stage.executor, { port: 0, manage: true, refreshSeconds: 300 })
  onTestFinished(() => hostile.close())
  const { page, misdeeds } = await watchedPage(browser, hostile.origin)
  onTestFinished(() => page.context().close())
  await page.goto(hostile.url)
  for (const path of paths) {
    const response = await page.goto(hostile.origin + path, { waitUntil: 'domcontentloaded' })
    // Of a status that is no success the browser itself tells.
    if (response?.status() !== 200) expect(misdeeds.complaints.splice(0).length, path).toBeLessThanOrEqual(1)
    // What is hovered, opened and focused could run as well.
    await page.evaluate(`
      for (const each of document.querySelectorAll('main details')) each.open = true
      for (const each of document.querySelectorAll('main :is(a, input, select, summary, [tabindex])')) each.focus()
      for (const each of document.querySelectorAll('main bdi'))
        for (const kind of ['mouseover', 'click']) each.dispatchEvent(new MouseEvent(kind))
    `)
    expect(misdeeds, path).toEqual(nothing)
  }
  // They were there to be run, and a script that runs is noticed.
  await page.goto(`${hostile.origin}/calls/bad-0`)
  const shown = (await page.locator('main').textContent()) ?? ''
  expect(shown.split('<script>__xss()</script>').length).toBeGreaterThan(12)
  await page.evaluate('__xss()')
  expect(misdeeds.executed).toBe(1)
})

test.each(['/', '/calls', '/failed', '/tasks', '/queues/billing', 'call'])(
  '%s weighs less than 150 KB with all that it needs',
  async (path) => {
    const { page } = await open('/')
    const at = path === 'call' ? (visits.find(({ name }) => name === 'call-threw')?.path ?? '') : path
    // Nothing of it is in the browser's cache.
    const fresh = await browser.newContext({ storageState: await page.context().storageState() })
    onTestFinished(() => fresh.close())
    const other = await fresh.newPage()
    const bodies: Promise<Buffer>[] = []
    other.on('response', (response) => {
      if (response.status() === 200) bodies.push(response.body())
    })
    await other.goto(monitor.origin + at, { waitUntil: 'load' })
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0)
    expect(bytes).toBeGreaterThan(60_000)
    expect(bytes).toBeLessThan(150 * 1024)
  },
)
