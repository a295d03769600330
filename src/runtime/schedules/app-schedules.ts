/**
 * All schedules of an app: those of its config, those that `executor.schedule` declared, and those declared on tasks.
 * @module
 */
import type { App } from '../app.ts'
import type { ResolvedConfig, ResolvedSchedule } from '../config/config.ts'
import { InvalidOptionError, UnregisteredTaskError } from '../errors.ts'
import type { Registry } from '../registry.ts'
import { type AnyFunction, type TaskSender, taskSchedulesOf } from '../task.ts'
import { type DeclaredSchedule, resolveSchedule } from './resolve-schedules.ts'
import type { ScheduleContext } from './schedule-control.ts'

/** The schedules of an app, and how its code declares more. */
export interface AppSchedules {
  /** All of them; see `appSchedules`. */
  readonly schedules: App['schedules']
  readonly declare: (name: string, target: unknown, options: DeclaredSchedule) => void
  /** Submits a registered task to a queue. */
  readonly submitByName: ScheduleContext['submitByName']
}

/** Makes them: at first those of the config and of the tasks alone. */
export function createAppSchedules(
  config: ResolvedConfig,
  registry: Registry,
  sender: TaskSender,
): AppSchedules {
  const declared: CodeSchedule[] = []
  return {
    schedules: () => appSchedules(config, registry, declared),
    declare: (name, target, options) => {
      declared.push({ name, target, options })
    },
    async submitByName(task, args, queue) {
      for (const [target, name] of registry.functions()) {
        if (name === task) return sender.submit(target as AnyFunction, args, { queue })
      }
      // Its schedule could not have been resolved.
      throw new UnregisteredTaskError(`no task is registered as ${JSON.stringify(task)}`)
    },
  }
}

/** A schedule as the code declared it. */
interface CodeSchedule {
  readonly name: string
  /** A registered function. */
  readonly target: unknown
  readonly options: DeclaredSchedule
}

/**
 * The schedules by name, in the order of their declaration. Reading them registers the tasks.
 * @throws InvalidOptionError, UnregisteredTaskError, InvalidTaskError
 */
function appSchedules(
  config: ResolvedConfig,
  registry: Registry,
  declared: readonly CodeSchedule[],
): ReadonlyMap<string, ResolvedSchedule> {
  const ofTasks = [...registry.functions()].flatMap(([target, task]) =>
    taskSchedulesOf(target).map(({ name, ...options }) => ({
      name: name ?? task.replaceAll('.', '-'),
      task,
      options,
    })),
  )
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
