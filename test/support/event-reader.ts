/**
 * Reads server-sent events as a client would, and tells what has come so far.
 * @module
 */

/** A stream that is being read. */
export interface EventReader {
  /** All text so far. */
  readonly text: string
  /** The data of each event so far, parsed. */
  readonly events: readonly Record<string, unknown>[]
  /** The id of the last event. */
  readonly lastId: string | undefined
  readonly isOver: boolean
  /** Goes away, as a page that is closed. */
  leave(): Promise<void>
}

/** Begins to read the body of an answer. */
export function readEvents(response: Response): EventReader {
  const body = response.body ?? new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
  const reader = body.getReader()
  let text = ''
  let isOver = false
  const decoder = new TextDecoder()
  const readOn = async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
    isOver = true
  }
  readOn().catch(() => {
    isOver = true
  })
  const fields = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map(([, value]) => value)
  return {
    get text() {
      return text
    },
    get events() {
      return fields('data').map((data) => JSON.parse(data as string))
    },
    get lastId() {
      return fields('id').at(-1)
    },
    get isOver() {
      return isOver
    },
    leave: () => reader.cancel(),
  }
}
