/**
 * Time in a page, where there is no `Clock`: the one file of errand beside the clock that sets timers.
 * @module
 */

/** Resolves after `ms` and up to half of it more, so that pages which lost one server do not return together. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms * (1 + Math.random() / 2))
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
  })
}
