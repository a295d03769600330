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
 * changed since; closing it forgets it.
 */
export function shareBackend<B extends Backend>(
  config: ResolvedConfig,
  kind: B['kind'],
  make: () => B,
): Backend {
  const shared = sharedBackends()
  const name = `${kind}:${config.name}`
  const existing = shared.get(name)
  if (existing !== undefined && isDeepStrictEqual(existing.config, config)) return existing.backend
  const made = make()
  const backend: Backend = {
    ...made,
    close() {
      // Forgotten first: who asks while this one stops gets a new one.
      if (shared.get(name)?.backend === backend) shared.delete(name)
      return made.close()
    },
  }
  shared.set(name, { config, backend })
  return backend
}

/** Forgets the shared backend of this name, so that the next one is made anew. */
export function unshareBackend(config: ResolvedConfig, kind: Backend['kind']): void {
  sharedBackends().delete(`${kind}:${config.name}`)
}
