/**
 * An attempt while it runs: what `currentTask` shows, and what can stop it.
 * @module
 */

import type { CallRecord } from '../call/record.ts'
import type { ResolvedConfig } from '../config/config.ts'
import { type RunningTask, runAs, type WorkerContext } from '../current-task.ts'
import type { Ports } from '../ports/backend.ts'
import type { Environment } from './attempt.ts'
import type { WatchedAttempt } from './marks.ts'
import { createProgress, type ReportProgress } from './progress.ts'

/**
 * One attempt. A class, since there is one for each call: its abort controller and its progress writer, which most
 * tasks never use, are made when first asked for.
 */
export class RunningAttempt implements RunningTask, WatchedAttempt {
  readonly id: string
  readonly task: string
  readonly attempt: number
  readonly tenant: string | undefined
  readonly depth: number
  readonly owner: string
  readonly startedAt: number
  readonly submit: RunningTask['submit']
  readonly #environment: Environment
  #controller: AbortController | undefined
  #stopReason: Error | undefined
  #report: ReportProgress | undefined
  #reported: Promise<void> | undefined

  constructor(environment: Environment, task: string, record: CallRecord, owner: string) {
    this.id = record.id
    // Its name of today: the record's is the one that the call was sent under.
    this.task = task
    this.attempt = record.attempts
    this.tenant = record.tenant
    this.depth = record.depth ?? 0
    this.owner = owner
    this.startedAt = record.startedAt ?? 0
    this.submit = environment.app.submit
    this.#environment = environment
  }

  get context(): WorkerContext {
    return this.#environment.context as WorkerContext
  }

  get config(): ResolvedConfig {
    return this.#environment.app.config
  }

  get ports(): Ports {
    return this.#environment.ports
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#stopReason !== undefined) this.#controller.abort(this.#stopReason)
    }
    return this.#controller.signal
  }

  /** Why it was asked to stop, `undefined` where it was not. */
  get stopReason(): Error | undefined {
    return this.#stopReason
  }

  /** Asks it to stop; the first reason stands. */
  abort(reason: Error): void {
    if (this.#stopReason !== undefined) return
    this.#stopReason = reason
    // Listeners are the task's code: they see `currentTask`, whoever aborts.
    if (this.#controller !== undefined) runAs(this, () => this.#controller?.abort(reason))
  }

  progress(value: unknown): Promise<void> {
    const { ports, app } = this.#environment
    this.#report ??= createProgress(ports, app.codec, this)
    this.#reported = this.#report(value)
    return this.#reported
  }

  /** The last report, `undefined` where there was none: the end is written after it, whoever awaited it. */
  get reported(): Promise<void> | undefined {
    return this.#reported
  }
}
