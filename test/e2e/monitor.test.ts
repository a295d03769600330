/**
 * The monitor in a real browser. Set `SCREENSHOTS` to a folder to have what it looks like.
 * @module
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { type RunningMonitor, startMonitor } from 'errand/monitor'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Misdeeds, startBrowser, watchedPage } from '../support/browser.ts'
import { hostileTexts } from '../support/hostile-texts.ts'
import { encoded, monitorStage } from '../support/monitor-stage.ts'
import { monitoredShop } from '../support/monitored-shop.ts'

let browser: Browser
let monitor: RunningMonitor
const shop = monitoredShop()

beforeAll(async () => {
  await shop.busy(800, 50)
  await shop.executor.submit(shop.tasks.slow)
  await shop.executor.with({ delaySeconds: 600 }).submit(shop.tasks.mail.send, 'later@example.com')
  await shop.clock.advance({ seconds: 5 })
  monitor = await startMonitor(shop.executor, {
    ...{ port: 0, manage: true, refreshSeconds: 1 },
    redact: { keys: ['number'] },
  })
  browser = await startBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await monitor.close()
  // An attempt runs, and its time stands still.
  await shop.clock.runUntil(shop.executor.close())
})

/** Opens a page of the monitor, logged in. */
async function open(path: string, options: BrowserContextOptions = {}) {
  const watched = await watchedPage(browser, monitor.origin, options)
  await watched.page.goto(monitor.url)
  if (path !== '/') await watched.page.goto(monitor.origin + path)
  return watched
}

const folder = process.env.SCREENSHOTS

async function shoot(page: Page, name: string): Promise<void> {
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

const nothing: Misdeeds = { executed: 0, complaints: [], external: [] }

/** Pages by name; those of one call are of the newest that is so. */
async function addresses(): Promise<readonly (readonly [string, string])[]> {
  const newest = async (state: 'failed' | 'running' | 'succeeded') =>
    (await shop.executor.inspect.calls({ state })).calls[0]?.id
  return [
    ['overview', '/'],
    ['calls', '/calls'],
    ['calls-filtered', '/calls?state=failed&queue=low-priority&tenant=acme'],
    ['calls-none', '/calls?task=nobody'],
    ['failed', '/failed'],
    ['retry-all', '/failed/retry?task=orders.charge'],
    ['call-failed', `/calls/${await newest('failed')}`],
    ['call-running', `/calls/${await newest('running')}`],
    ['call-succeeded', `/calls/${await newest('succeeded')}`],
    ['tasks', '/tasks'],
    ['queue', '/queues/high-priority'],
  ]
}

const looks: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', viewport: { width: 375, height: 800 } }],
]

describe.each(looks)('%s', (look, options) => {
  test('every page is sound, fits, and can be read by all', async () => {
    const { page, misdeeds } = await open('/', options)
    for (const [name, path] of await addresses()) {
      await page.goto(monitor.origin + path)
      expect(misdeeds, name).toEqual(nothing)
      const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
      expect.soft(wide, `${name} is wider than its window`).toBeLessThanOrEqual(0)
      await shoot(page, `${look}-${name}`)
      if (look === 'phone') continue
      const axe = new AxeBuilder({ page })
      // In the dark nothing but the colours is another.
      const { violations } = await (look === 'dark' ? axe.withRules('color-contrast') : axe).analyze()
      const told = violations.map(({ id, impact, nodes }) => `${name}: ${impact} ${id} ${nodes[0]?.html}`)
      expect.soft(told).toEqual([])
    }
    await page.context().close()
  }, 120_000)
})

describe('a person', () => {
  test('reaches all by keyboard, and sees where they are', async () => {
    const { page } = await open('/')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    const reached: string[] = []
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press('Tab')
      reached.push(String(await page.evaluate('document.activeElement.textContent.trim()')))
    }
    expect(reached).toEqual(expect.arrayContaining(['low-priority', '6 hours', 'All failed calls']))
    expect(reached.some((text) => text.startsWith('As a table'))).toBe(true)
    await page.goto(`${monitor.origin}/calls`)
    await page.getByLabel('Task', { exact: true }).focus()
    await page.keyboard.type('slow')
    await page.keyboard.press('Enter')
    await page.waitForURL(/task=slow/)
    expect(await page.locator('table.calls tbody tr').count()).toBe(1)
    await page.context().close()
  })

  test('sees what is new without doing anything, and keeps what they opened', async () => {
    const { page, misdeeds } = await open('/')
    const table = page.locator('#chart-throughput')
    await table.locator('summary').click()
    const ended = page.locator('[data-live="queues"] tr', { hasText: 'mail' }).locator('td').first()
    expect(await ended.textContent()).toBe('0')
    await shop.executor.queues.pause('mail')
    await shop.executor.submit(shop.tasks.mail.send, 'new@example.com')
    await shop.clock.advance({ seconds: 2 })
    await expect.poll(() => ended.textContent(), { timeout: 10_000 }).toBe('1')
    expect(await table.getAttribute('open')).not.toBeNull()
    expect(await page.locator('.u-wrap').count()).toBe(3)
    await shop.executor.queues.resume('mail')
    await shop.clock.advance({ seconds: 2 })
    expect(misdeeds).toEqual(nothing)
    await page.context().close()
  })

  test('acts without scripts: finds a call, retries it; pauses, purges by name', async () => {
    const { page } = await open('/failed', { javaScriptEnabled: false })
    await page.locator('table.calls a').first().click()
    const id = page.url().split('/').at(-1) ?? ''
    await page.getByRole('button', { name: 'Retry' }).click()
    expect(await page.locator('h1 + .state').textContent()).toMatch(/pending|running/)
    await shop.clock.advance({ seconds: 120 })
    expect((await shop.executor.inspect.call(id)).attempts).toBeGreaterThan(1)
    await page.goto(`${monitor.origin}/queues/mail`)
    await page.getByRole('button', { name: 'Pause' }).click()
    expect(await page.locator('h1 + .state').textContent()).toBe('paused')
    await page.getByLabel('Type mail to purge it').fill('male')
    await page.getByRole('button', { name: 'Purge' }).click()
    expect(await page.getByRole('alert').textContent()).toContain(
      `type the queue's name, "mail", to purge it`,
    )
    await page.goBack()
    await page.getByRole('button', { name: 'Resume' }).click()
    expect(await page.locator('h1 + .state').textContent()).toBe('OK')
    await page.context().close()
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
  await page.context().close()
})

test('of hostile texts in every field nothing runs, nothing breaks out, nothing is asked for elsewhere', async () => {
  const stage = await monitorStage()
  for (const [index, text] of hostileTexts.entries()) {
    const id = `bad-${index}`
    await stage.put({
      ...{ id, state: 'failed', reason: 'threw', failedIn: 'low', failures: 1, task: text, tenant: text },
      ...{ parent: text, lastError: text, abortReason: text, progress: encoded({ [text]: text }) },
      result: encoded(Object.assign(new Error(text, { cause: text }), { name: text, stack: text })),
    })
    await stage.keep(id, text, [text, { [text]: text }], { onFailed: text })
  }
  const hostile = await startMonitor(stage.executor, { port: 0, manage: true, refreshSeconds: 1 })
  const { page, misdeeds } = await watchedPage(browser, hostile.origin)
  await page.goto(hostile.url)
  const query = encodeURIComponent(hostileTexts[3] ?? '')
  const paths = ['/', '/calls', '/failed', '/tasks', `/calls?task=${query}`, `/failed?task=${query}`]
  for (const path of [...paths, ...hostileTexts.map((_, index) => `/calls/bad-${index}`)]) {
    await page.goto(hostile.origin + path)
    // What is hovered, opened and focused could run as well.
    await page.evaluate(`for (const each of document.querySelectorAll('main *')) {
      if (each.tagName === 'DETAILS') each.open = true
      each.focus()
      for (const kind of ['mouseover', 'click']) if (each.tagName === 'BDI') each.dispatchEvent(new MouseEvent(kind))
    }`)
  }
  await hostile.close()
  expect(misdeeds).toEqual(nothing)
}, 60_000)

test('a page weighs less than 150 KB with all that it needs', async () => {
  const { page } = await watchedPage(browser, monitor.origin)
  const bodies: Promise<Buffer>[] = []
  page.on('response', (response) => {
    if (response.status() === 200) bodies.push(response.body())
  })
  await page.goto(monitor.url, { waitUntil: 'networkidle' })
  const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0)
  expect(bytes).toBeGreaterThan(60_000)
  expect(bytes).toBeLessThan(150 * 1024)
  await page.context().close()
})
