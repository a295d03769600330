/**
 * How calls ended, as JSON text: written once, by the rules of `toJson`.
 * @module
 */
import type { CallResult, GroupResult } from '../browser/call-status.ts'
import type { TaskName, TaskOfName, TasksOf } from '../runtime/client.ts'
import { UnsupportedValueError } from '../runtime/errors.ts'
import type { Outcome } from '../runtime/future/calls.ts'
import type { ResultOf } from '../runtime/task.ts'
import type { OpenedCall, OpenedGroup } from './call-gate.ts'
import type { JsonOf, JsonValue } from './json-of.ts'
import type { RequestedCall } from './route-options.ts'
import { MAX_JSON_LENGTH, toJson } from './to-json.ts'

type Describe = (error: Error, call: RequestedCall) => string | undefined

/** How a call of one of these tasks ended: `task` tells which, and so the type of `value`. */
export type TaskResult<Source> = [TaskName<TasksOf<Source>>] extends [never]
  ? CallResult<JsonValue>
  : string extends TaskName<TasksOf<Source>>
    ? CallResult<JsonValue>
    : ResultOfName<TasksOf<Source>, TaskName<TasksOf<Source>>>

type ResultOfName<Tasks, Name extends string> = Name extends string
  ? CallResult<JsonOf<ResultOf<TaskOfName<Tasks, Name>>>, Name>
  : never

/** How the calls of a `map` of one of these tasks ended. */
export type TaskGroupResult<Source> = Omit<GroupResult, 'calls'> & {
  readonly calls: readonly TaskResult<Source>[]
}

/** The result of a call that has ended. */
export async function callResult({ future, call }: OpenedCall, describe: Describe): Promise<string> {
  return resultText(await future.outcome(), call, describe)
}

/** The results of a group whose calls have ended. */
export async function groupResult(
  { group, snapshots, action }: OpenedGroup,
  describe: Describe,
): Promise<string> {
  const outcomes = await group.outcomes()
  const texts: string[] = []
  let length = 0
  for (const [index, { id, task, tenant }] of snapshots.entries()) {
    const text = resultText(outcomes[index] as Outcome<unknown>, { action, id, task, tenant }, describe)
    length += text.length
    if (length > MAX_JSON_LENGTH) {
      throw new UnsupportedValueError(
        `the results up to calls[${index}] are over ${MAX_JSON_LENGTH / 1024 / 1024} MiB together; ask for those of single calls`,
        `calls[${index}]`,
      )
    }
    texts.push(text)
  }
  return `{"id":${JSON.stringify(group.id)},"calls":[${texts.join()}]}`
}

function resultText(outcome: Outcome<unknown>, call: RequestedCall, describe: Describe): string {
  const { id, task } = call
  const { state } = outcome
  if (state === 'succeeded') {
    const head = JSON.stringify({ id, task, state })
    return `${head.slice(0, -1)},"value":${toJson(outcome.value, 'value')}}`
  }
  if (state === 'cancelled') return JSON.stringify({ id, task, state })
  const { reason, attempts, error } = outcome
  const message = describe(error, call)
  return JSON.stringify({ id, task, state, reason, attempts, ...(message !== undefined && { message }) })
}
