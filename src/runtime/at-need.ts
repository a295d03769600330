/**
 * Objects whose code is loaded when it is needed, so that the cold starts of workers and web apps do without it.
 * @module
 */

/** An object whose methods, all of them asynchronous, are those of what `load` gives when the first of them is called. */
export function atNeed<T extends object>(
  methods: Readonly<Record<keyof T, true>>,
  load: () => Promise<T>,
): T {
  const loadOnce = once(load)
  const delegates = Object.keys(methods).map((name) => {
    const delegate = async (...args: unknown[]) => {
      const loaded = (await loadOnce()) as Record<string, (...args: unknown[]) => unknown>
      return loaded[name]?.(...args)
    }
    return [name, delegate] as const
  })
  return Object.fromEntries(delegates) as T
}

/** Loads it at the first call; one that failed is tried again at the next. */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
}
