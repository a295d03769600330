/**
 * The registry: which function runs under which name. JavaScript cannot ship a closure to another machine, so a
 * function is found by identity here, travels as its name, and is looked up by that name there.
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { LIMITS, type ResolvedConfig, type ResolvedTaskOptions } from './config/config.ts'
import { showValue, suggestName } from './config/nearest-name.ts'
import { InvalidOptionError, InvalidTaskError, UnregisteredTaskError } from './errors.ts'
import { checkOneTaskOptions, formerNamesOf, resolveTaskOptions } from './resolve-config.ts'
import {
  type AnyFunction,
  bindTask,
  declarationOf,
  isClass,
  offUnboundTask,
  onUnboundTask,
  type TaskSender,
  unbindTask,
} from './task.ts'

/** Functions, declared tasks, and groups of them: modules imported as namespaces, or plain objects. */
export interface TaskTree {
  // A module namespace may export anything beside its functions.
  readonly [name: string]: unknown
}

/** One task, as a worker runs it. */
export interface RegisteredTask {
  readonly name: string
  readonly run: (...args: unknown[]) => unknown
  readonly input: StandardSchemaV1 | undefined
  readonly options: ResolvedTaskOptions
  /** The names that it had, under which calls may still come. */
  readonly formerly: readonly string[]
}

/** The tasks of an app. */
export interface Registry {
  /** The task that has this name, or had it; only names that were registered are found, nothing an object inherits. */
  find(name: string): RegisteredTask | undefined
  /** The task that this function is, or `UnregisteredTaskError` with the line to add. */
  taskOf(target: unknown): RegisteredTask
  /** The names of the tasks by their functions. */
  functions(): ReadonlyMap<unknown, string>
  /** All names, in the order of registration; former ones are not among them. */
  names(): readonly string[]
  /** Registers one more. */
  add(name: string, target: AnyFunction): void
  /** Lets go of the declared tasks, so that another executor may have them. */
  release(): void
}

interface Entries {
  readonly byName: Map<string, RegisteredTask>
  readonly byFormerName: Map<string, RegisteredTask>
  readonly byFunction: Map<unknown, string>
  /** Exports of modules that can never run: said when one is submitted, since a module may well export a class. */
  readonly classes: Map<unknown, string>
}

/**
 * Makes a registry. `tasks` is read when first needed, so that modules that import each other may load in any order.
 */
export function createRegistry(config: ResolvedConfig, tasks: TaskTree, sender: TaskSender): Registry {
  const entries: Entries = {
    byName: new Map(),
    byFormerName: new Map(),
    byFunction: new Map(),
    classes: new Map(),
  }
  const context = { config, sender, entries }
  let read = false
  const readTasks = () => {
    if (read) return
    read = true
    try {
      readTree(context, tasks, '', 0)
      checkTaskNames(config, entries)
      offUnboundTask(readTasks)
    } catch (error) {
      // Refuse again at the next use, instead of going on with half of the tasks.
      read = false
      for (const target of entries.byFunction.keys()) unbindTask(target as AnyFunction, sender)
      entries.byName.clear()
      entries.byFormerName.clear()
      entries.byFunction.clear()
      for (const [name, target] of added) register(context, name, target)
      throw error
    }
  }
  const added = new Map<string, AnyFunction>()
  onUnboundTask(readTasks)
  return {
    find(name) {
      readTasks()
      // A former name is looked up only where a call came under one: it costs the others nothing.
      return entries.byName.get(name) ?? entries.byFormerName.get(name)
    },
    taskOf(target) {
      readTasks()
      const name = entries.byFunction.get(target)
      if (name === undefined) throw unregistered(target, entries)
      return entries.byName.get(name) as RegisteredTask
    },
    functions() {
      readTasks()
      return entries.byFunction
    },
    names() {
      readTasks()
      return [...entries.byName.keys()]
    },
    add(name, target) {
      register(context, name, target)
      added.set(name, target)
    },
    release() {
      offUnboundTask(readTasks)
      for (const target of entries.byFunction.keys()) unbindTask(target as AnyFunction, sender)
    },
  }
}

interface Context {
  readonly config: ResolvedConfig
  readonly sender: TaskSender
  readonly entries: Entries
}

/** Deep enough for any app; a tree deeper than this refers to itself. */
const MAX_TREE_DEPTH = 8

/** `lenient`: somewhere in a module, which may export constants and classes beside its functions. */
function readTree(context: Context, tree: TaskTree, prefix: string, depth: number, lenient = false): void {
  if (depth > MAX_TREE_DEPTH) {
    throw new InvalidTaskError(`tasks at ${JSON.stringify(prefix)} are nested over ${MAX_TREE_DEPTH} deep`)
  }
  const inModule = lenient || Object.prototype.toString.call(tree) === '[object Module]'
  for (const key of Object.keys(tree)) {
    const name = prefix + key
    const value: unknown = tree[key]
    if (typeof value === 'function') {
      if (inModule && isClass(value as AnyFunction)) context.entries.classes.set(value, name)
      else register(context, name, value as AnyFunction)
    } else if (isGroup(value)) {
      readTree(context, value, `${name}.`, depth + 1, inModule)
    } else if (!inModule) {
      throw new InvalidTaskError(
        `task ${JSON.stringify(name)} is ${showValue(value)}, expected a function, a task, or a group of them`,
      )
    }
  }
}

function isGroup(value: unknown): value is TaskTree {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

const nameForm = /^[\p{ID_Continue}$:/-]+(\.[\p{ID_Continue}$:/-]+)*$/u

function register(context: Context, name: string, target: AnyFunction): void {
  const { config, sender, entries } = context
  checkTaskName(name)
  if (typeof target !== 'function') {
    throw new InvalidTaskError(`task ${JSON.stringify(name)} is ${showValue(target)}, expected a function`)
  }
  if (isClass(target)) {
    throw new InvalidTaskError(
      `task ${JSON.stringify(name)} is the class ${target.name}, which cannot be called; register a function that uses it`,
    )
  }
  if (entries.byName.has(name)) {
    throw new InvalidTaskError(`two tasks have the name ${JSON.stringify(name)}; rename one`)
  }
  const heir = entries.byFormerName.get(name)
  if (heir !== undefined) throw nameIsFormer(name, heir.name)
  const other = entries.byFunction.get(target)
  if (other !== undefined) {
    throw new InvalidTaskError(
      `one function is registered under two names, ${JSON.stringify(other)} and ${JSON.stringify(name)}: a submit could not tell which; keep one`,
    )
  }
  const declaration = declarationOf(target)
  const own = declaration?.options ?? {}
  const longest = Math.max(...[...config.workers.values()].map((worker) => worker.timeoutSeconds))
  checkOneTaskOptions(`task ${JSON.stringify(name)}`, own, longest, config.longDelays)
  const task: RegisteredTask = {
    name,
    run: declaration?.run ?? (target as unknown as RegisteredTask['run']),
    input: declaration?.input,
    options: resolveTaskOptions(config, name, own),
    formerly: formerNamesOf(config, name, own),
  }
  checkFormerNames(task, entries)
  entries.byFunction.set(target, name)
  entries.byName.set(name, task)
  for (const former of task.formerly) entries.byFormerName.set(former, task)
  bindTask(target, sender)
}

/** A call must lead to one task, whichever name it came under. */
function checkFormerNames({ name, formerly }: RegisteredTask, { byName, byFormerName }: Entries): void {
  for (const former of formerly) {
    checkTaskName(former)
    if (former === name) {
      throw new InvalidTaskError(
        `task ${JSON.stringify(name)} was \`formerly\` itself; list the names that it no longer has`,
      )
    }
    if (byName.has(former)) throw nameIsFormer(former, name)
    const other = byFormerName.get(former)
    if (other !== undefined) {
      throw new InvalidTaskError(
        `two tasks, ${JSON.stringify(other.name)} and ${JSON.stringify(name)}, were \`formerly\` ${JSON.stringify(former)}: a call of it could run either; leave it to one`,
      )
    }
  }
}

function nameIsFormer(name: string, heir: string): InvalidTaskError {
  return new InvalidTaskError(
    `a task has the name ${JSON.stringify(name)}, and ${JSON.stringify(heir)} had it \`formerly\`: a call of it could run either; name the new task otherwise, or take it out of \`formerly\` once no call of the old one waits`,
  )
}

/**
 * Refuses names that could not be told apart, or that every object has.
 * @throws InvalidTaskError
 */
export function checkTaskName(name: string): void {
  const say = (rule: string) =>
    new InvalidTaskError(`a task cannot have the name ${showValue(name)}: ${rule}`)
  if (typeof name !== 'string' || name === '') throw say('a name is a text of 1–128 characters')
  if (name.length > LIMITS.nameLength)
    throw say(`it has ${name.length} characters, at most ${LIMITS.nameLength}`)
  const inherited = name.split('.').find((part) => part in Object.prototype)
  if (inherited !== undefined) throw say(`every object has a \`${inherited}\`; use another word`)
  if (!nameForm.test(name))
    throw say('use letters, digits, `_`, `$`, `-`, `:` and `/`, in parts separated by dots')
}

/** A route, options or a schedule for a task that does not exist would silently do nothing. */
function checkTaskNames(config: ResolvedConfig, { byName, byFormerName }: Entries): void {
  const { routes, taskOptions, schedules } = config
  const named = {
    routes: Object.keys(routes),
    taskOptions: Object.keys(taskOptions),
    schedules: [...schedules.values()].map(({ task }) => task),
  }
  for (const option of ['routes', 'taskOptions', 'schedules'] as const) {
    for (const name of named[option]) {
      if (byName.has(name) || (option !== 'schedules' && name.includes('*'))) continue
      const heir = byFormerName.get(name)
      if (heir !== undefined) {
        throw new InvalidOptionError(
          `config \`${option}\` names a task ${JSON.stringify(name)}, which is ${JSON.stringify(heir.name)} now; use that name, it counts for calls under the former one as well`,
        )
      }
      throw new InvalidOptionError(
        `config \`${option}\` names a task ${JSON.stringify(name)} that is not registered; ${suggestName(name, byName.keys())}`,
      )
    }
  }
}

function unregistered(target: unknown, entries: Entries): UnregisteredTaskError | InvalidTaskError {
  if (typeof target !== 'function') {
    return new UnregisteredTaskError(
      `submit was given ${showValue(target)}, expected a registered function or task; by name, use createClient`,
    )
  }
  const { name } = target
  if (entries.classes.has(target) || isClass(target as AnyFunction)) {
    return new InvalidTaskError(
      `submit was given the class ${name}, which cannot be called; submit a function`,
    )
  }
  const twin = [...entries.byFunction].find(
    ([known]) => typeof known === 'function' && known.name === name && name !== '',
  )
  if (twin !== undefined) {
    return new UnregisteredTaskError(
      `the function ${name} is not the one registered as ${JSON.stringify(twin[1])}: its module may be loaded twice (two paths, two bundles, or a reload); import it as the executor's module does`,
    )
  }
  const line = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? name : `name: ${name || 'theFunction'}`
  return new UnregisteredTaskError(
    `the function ${name || '(without a name)'} is not registered, so no worker could run it; add it to the tasks: createExecutor(config, { tasks: { ${line} } })`,
  )
}
