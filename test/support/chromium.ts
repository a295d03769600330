/**
 * A real browser, from the development dependencies: it need not be installed on the machine.
 * @module
 */
import sparticuz from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

/** Starts the browser; start it once a file, it takes seconds. */
export async function startChromium(): Promise<Browser> {
  // In a single process, as on Lambda, it ends with its last page.
  const args = sparticuz.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote')
  return chromium.launch({ args, executablePath: await sparticuz.executablePath() })
}
