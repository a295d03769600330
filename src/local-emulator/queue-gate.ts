/**
 * A gate before the workers' polls: while it is shut nothing is received, whatever lies in the queues.
 * @module
 */
import type { Queue, ReceivedMessage, ReceiveOptions } from '../runtime/ports/queue.ts'

/** A gate that workers poll through. Shut at first. */
export interface QueueGate {
  /** Lets polls through; each `open` needs a `shut` of its own. */
  open(): void
  shut(): void
  /** The queue, its receives held while the gate is shut. */
  guard<Q extends Pick<Queue, 'receive'>>(queue: Q): Q
}

/** Makes a gate. */
export function queueGate(): QueueGate {
  let openers = 0
  /** Told when the gate opens, or is shut. */
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of [...listeners]) listener()
  }

  function change(signal: AbortSignal | undefined): { readonly changed: Promise<void>; end(): void } {
    let heard = () => {}
    const changed = new Promise<void>((resolve) => {
      heard = resolve
    })
    listeners.add(heard)
    signal?.addEventListener('abort', heard, { once: true })
    const end = () => {
      listeners.delete(heard)
      signal?.removeEventListener('abort', heard)
    }
    return { changed, end }
  }

  async function receive(
    queue: Pick<Queue, 'receive'>,
    name: string,
    options: ReceiveOptions,
  ): Promise<readonly ReceivedMessage[]> {
    for (;;) {
      if (options.signal?.aborted) return []
      const { changed, end } = change(options.signal)
      try {
        if (openers === 0) {
          await changed
          continue
        }
        const stopping = new AbortController()
        void changed.then(() => stopping.abort())
        const messages = await queue.receive(name, { ...options, signal: stopping.signal })
        // A poll that the gate cut short goes on when it opens again.
        if (messages.length > 0 || openers > 0) return messages
      } finally {
        end()
      }
    }
  }

  return {
    open() {
      openers += 1
      if (openers === 1) tell()
    },
    shut() {
      openers -= 1
      if (openers === 0) tell()
    },
    guard: (queue) => ({ ...queue, receive: (name, options) => receive(queue, name, options) }),
  }
}
