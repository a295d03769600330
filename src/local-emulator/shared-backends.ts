/**
 * One backend for each app and kind in this process. Kept on `globalThis`, so that a module that is loaded again, as
 * by a development server, finds the same queues, and a client finds its executor's.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import type { Backend } from '../runtime/backend.ts'
import type { ResolvedConfig } from '../runtime/config.ts'

interface Shared {
  readonly config: ResolvedConfig
  /** Whose calls it runs. */
  readonly app: object
  readonly backend: Backend
}

const key = Symbol.for('errand.shared-backends')

function sharedBackends(): Map<string, Shared> {
  const holder = globalThis as unknown as Record<symbol, Map<string, Shared> | undefined>
  holder[key] ??= new Map()
  return holder[key]
}

/**
 * The backend that this process shares for the app of this name, made where there is none, or where the config has
 * changed since; closing it forgets it. An eager one is shared by an app and its clients only: it runs what is
 * submitted at once, so there is nothing that a reloaded module would have to find again.
 */
export function shareBackend<B extends Backend>(
  config: ResolvedConfig,
  kind: B['kind'],
  make: () => B,
  app: object,
): Backend {
  const shared = sharedBackends()
  const name = `${kind}:${config.name}`
  const existing = shared.get(name)
  const same = existing !== undefined && isDeepStrictEqual(existing.config, config)
  if (same && (kind === 'local' || existing.app === app)) return existing.backend
  const made = make()
  const backend: Backend = {
    ...made,
    close() {
      // Forgotten first: who asks while this one stops gets a new one.
      if (shared.get(name)?.backend === backend) shared.delete(name)
      return made.close()
    },
  }
  shared.set(name, { config, app, backend })
  return backend
}
