/**
 * A real browser for tests, and pages that count what a page must never do.
 * @module
 */
import chromium from '@sparticuz/chromium'
import { type Browser, type BrowserContextOptions, chromium as launcher, type Page } from 'playwright-core'

/** Starts the browser: once for each file of tests. */
export async function startBrowser(): Promise<Browser> {
  return launcher.launch({
    // Not the package's own flags: they put all into one process, and switch off what keeps sites apart.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    executablePath: await chromium.executablePath(),
    headless: true,
  })
}

/** What a page did that it must not. */
export interface Misdeeds {
  /** Calls of `__xss`. */
  executed: number
  /** Violations of the content security policy, errors of scripts, failed requests. */
  readonly complaints: string[]
  /** Requests to elsewhere. */
  readonly external: string[]
}

/** Opens a page of `origin`, and notes what it does wrong. */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<{ readonly page: Page; readonly misdeeds: Misdeeds }> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-US',
    ...options,
  })
  const misdeeds: Misdeeds = { executed: 0, complaints: [], external: [] }
  await context.exposeFunction('__xss', () => {
    misdeeds.executed += 1
  })
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') misdeeds.complaints.push(message.text())
  })
  page.on('pageerror', (error) => misdeeds.complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    misdeeds.executed += 1
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) misdeeds.external.push(request.url())
  })
  return { page, misdeeds }
}
