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
      const { violations } = await new AxeBuilder({ page }).analyze()
      const told = violations.map(({ id, impact, nodes }) => `${name}: ${impact} ${id} ${nodes[0]?.html}`)
      expect.soft(told).toEqual([])
    }
    await page.context().close()
  }, 120_000)
})
