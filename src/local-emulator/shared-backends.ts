/**
 * One backend for each app and kind in this process. Kept on `globalThis`, so that a module that is loaded again, as
 * by a development server, finds the same queues, and a client finds its executor's.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import type { ResolvedConfig } from '../runtime/config/config.ts'
import type { Backend } from '../runtime/ports/backend.ts'

interface Shared {
  readonly config: ResolvedConfig
  /** Whose calls it runs; the last of them that lets go of it closes it. */
  readonly apps: Set<object>
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
 * changed since. An eager one is shared by an app and its clients only: it runs what is submitted at once, so there is
 * nothing that a reloaded module would have to find again.
 *
 * Closing it lets go of it; the last app that does closes it. A client's closing does nothing to it (`app` is whose
 * calls it submits): the executor is still there.
 */
export function shareBackend(
  config: ResolvedConfig,
  kind: Backend['kind'],
  make: () => Backend,
  user: { readonly app: object; readonly isClient: boolean },
): Backend {
  const shared = sharedBackends()
  const name = `${kind}:${config.name}`
  const existing = shared.get(name)
  const usable =
    existing !== undefined &&
    isDeepStrictEqual(existing.config, config) &&
    (kind === 'local' || existing.apps.has(user.app))
  const entry: Shared = usable ? existing : { config, apps: new Set(), backend: make() }
  shared.set(name, entry)
  entry.apps.add(user.app)
  return { ...entry.backend, close: () => letGo(name, entry, user) }
}

async function letGo(
  name: string,
  entry: Shared,
  user: { readonly app: object; readonly isClient: boolean },
): Promise<void> {
  if (user.isClient || !entry.apps.delete(user.app) || entry.apps.size > 0) return
  // Forgotten first: who asks while this one stops gets a new one.
  if (sharedBackends().get(name) === entry) sharedBackends().delete(name)
  await entry.backend.close()
}
