/**
 * The page of the flights example in a real browser. `SCREENSHOTS=docs/images npx vitest run flights-page` renews the
 * pictures of the docs.
 * @module
 */
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { app } from '../../examples/flights/src/app.ts'
import { client } from '../../examples/flights/src/client.ts'
import { executor } from '../../examples/flights/src/errand.ts'
import { startBrowser } from '../support/browser.ts'
import { type HttpServer, serveHttp } from '../support/http-server.ts'
import { root } from '../support/source-files.ts'

let browser: Browser
let server: HttpServer

beforeAll(async () => {
  browser = await startBrowser()
  server = await serveHttp(app)
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  await client.close()
  await executor.close()
})

interface Visit {
  readonly page: Page
  /** What the browser complained of: scripts, and whatever the page's policy forbids. */
  readonly complaints: readonly string[]
  readonly requests: readonly string[]
}

async function visit(path = '/'): Promise<Visit> {
  const page = await browser.newPage({ viewport: { width: 900, height: 700 } })
  onTestFinished(() => page.close())
  const complaints: string[] = []
  const requests: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(server.url + path)
  return { page, complaints, requests }
}

const bar = (page: Page) =>
  page
    .locator('#progress')
    .evaluate((element) => Number(element.getAttribute('value') ?? (element as { value?: number }).value))

/** Asks for a report of so many chunks; slowly is so slow that what a test does happens in its middle. */
async function askFor(page: Page, chunks: number) {
  await page.fill('[name=chunks]', String(chunks))
  await page.click('#form button')
  await page.waitForURL(/\?report=/)
}

/** Waits until the bar has come so far. */
async function progressOver(page: Page, share: number): Promise<number> {
  await page.waitForFunction((least) => {
    const { document } = globalThis as unknown as {
      document: { getElementById(id: string): { value: number } }
    }
    return document.getElementById('progress').value > least
  }, share)
  return bar(page)
}

async function takePicture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) await page.screenshot({ path: join(root, folder, `${name}.png`), fullPage: true })
}

describe('the page', () => {
  test('shows the bar as it moves, then chart and table', async () => {
    const { page, complaints, requests } = await visit()
    await askFor(page, 16)
    const early = await progressOver(page, 0.02)
    await takePicture(page, 'web-progress')
    expect(await progressOver(page, early)).toBeGreaterThan(early)
    await page.waitForSelector('#report:not([hidden])')
    expect(await page.locator('#chart .bar').count()).toBe(24)
    expect(await page.locator('#by-hour tr').count()).toBe(24)
    expect(await page.locator('#figures dd').first().textContent()).toBe('200,000')
    await takePicture(page, 'web-report')
    expect(complaints).toEqual([])
    expect(requests.filter((url) => !url.startsWith(server.url))).toEqual([])
    // It was followed by events: the status was asked for before and after, and not in between.
    const asked = requests.map((url) => new URL(url).pathname.replace(/[0-9a-f-]+-of-\d+/, ':id'))
    expect(asked.filter((path) => path === '/reports/:id')).toHaveLength(2)
    expect(asked).toContain('/tasks/groups/:id/events')
    expect(asked).not.toContain('/tasks/groups/:id')
  })

  test('that is loaded again in the middle goes on', async () => {
    const { page, complaints } = await visit()
    await askFor(page, 64)
    const before = await progressOver(page, 0.02)
    await page.reload()
    expect(await progressOver(page, 0)).toBeGreaterThanOrEqual(before)
    await page.click('#cancel')
    await page.waitForSelector('#error:not([hidden])')
    expect(complaints).toEqual([])
  })

  test('cancels a report', async () => {
    const { page, complaints } = await visit()
    await askFor(page, 64)
    await progressOver(page, 0.01)
    await page.click('#cancel')
    await page.waitForSelector('#error:not([hidden])')
    expect(await page.locator('#error').textContent()).toBe(
      'There is no report to show: the report was cancelled.',
    )
    expect(await page.locator('#form button').isEnabled()).toBe(true)
    expect(complaints).toEqual([])
  })

  test('goes on after the server has cut its connections', async () => {
    const { page, requests } = await visit()
    await askFor(page, 16)
    const before = await progressOver(page, 0.02)
    server.cut()
    expect(await progressOver(page, before)).toBeGreaterThan(before)
    await page.waitForSelector('#report:not([hidden])')
    expect(requests.filter((url) => url.endsWith('/events')).length).toBeGreaterThan(1)
  })

  test('says that a report is not there', async () => {
    const { page } = await visit('/?report=0191e0a0-0000-7000-8000-000000000000-of-16')
    await page.waitForSelector('#error:not([hidden])')
    expect(await page.locator('#error').textContent()).toContain('nobody knows this report')
  })
})
