/**
 * Which task is meant: a function, a declared task, or a name.
 * @module
 */

import { showValue, suggestName } from '../runtime/config/nearest-name.ts'
import { InvalidOptionError, InvalidTaskError } from '../runtime/errors.ts'
import type { RegisteredTask, Registry } from '../runtime/registry.ts'

/**
 * The registered task.
 * @throws UnregisteredTaskError, InvalidTaskError, InvalidOptionError
 */
export function taskMeant(registry: Registry, meant: unknown): RegisteredTask {
  if (typeof meant === 'function') return registry.taskOf(meant)
  if (typeof meant !== 'string') {
    throw new InvalidOptionError(
      `expected a task, a registered function or a name, as in 'reports.build', got ${showValue(meant)}`,
    )
  }
  const task = registry.find(meant)
  if (task !== undefined) return task
  throw new InvalidTaskError(
    `no task has the name ${showValue(meant)}; ${suggestName(meant, registry.names())}`,
  )
}
