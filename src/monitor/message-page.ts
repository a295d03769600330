/**
 * What went wrong, and what an action did: one sentence on a page.
 * @module
 */
import { html } from 'hono/html'
import { address, type Frame, note, type PageContent } from './layout.ts'
import { visible } from './shown-text.ts'

/** A page that says one thing, and leads back. */
export function messagePage(
  frame: Pick<Frame, 'base'>,
  title: string,
  message: string,
  back: { readonly href: string; readonly text: string } = { href: address(frame, ''), text: 'Overview' },
  kind: 'empty' | 'error' = 'error',
): PageContent {
  const body = html`<h1>${title}</h1>${note(visible(message, 2000), kind)}<p><a href="${back.href}">${back.text}</a></p>`
  return { title, body }
}
