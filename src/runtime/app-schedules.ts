/**
 * All schedules of an app: those of its config, those that `executor.schedule` declared, and those declared on tasks.
 * @module
 */
import type { ResolvedConfig, ResolvedSchedule } from './config.ts'
import { InvalidOptionError } from './errors.ts'
import type { Registry } from './registry.ts'
import { type DeclaredSchedule, resolveSchedule } from './resolve-schedules.ts'

/** A schedule as the code declared it. */
export interface CodeSchedule {
  readonly name: string
  /** A registered function. */
  readonly target: unknown
  readonly options: DeclaredSchedule
}

/**
 * The schedules by name, in the order of their declaration. Reading them registers the tasks.
 * @throws InvalidOptionError, UnregisteredTaskError, InvalidTaskError
 */
export function appSchedules(
  config: ResolvedConfig,
  registry: Registry,
  declared: readonly CodeSchedule[],
): ReadonlyMap<string, ResolvedSchedule> {
  const ofTasks = registry.schedules().map(({ task, schedule: { name, ...options } }) => ({
    name: name ?? task.replaceAll('.', '-'),
    task,
    options,
  }))
  const ofCode = declared.map(({ name, target, options }) => ({
    name,
    task: registry.taskOf(target).name,
    options,
  }))
  const schedules = new Map(config.schedules)
  for (const { name, task, options } of [...ofCode, ...ofTasks]) {
    const where = `schedule ${JSON.stringify(name)} of task ${JSON.stringify(task)}`
    const resolved = resolveSchedule(where, name, task, options, config)
    const other = schedules.get(name)
    if (other !== undefined) {
      throw new InvalidOptionError(
        `two schedules have the name ${JSON.stringify(name)}, of ${JSON.stringify(other.task)} and of ${JSON.stringify(task)}; give one another \`name\``,
      )
    }
    schedules.set(name, resolved)
  }
  return schedules
}
