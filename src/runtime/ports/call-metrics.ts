/**
 * The call-metrics port: what attempts came to over time, where somebody counts them. Nothing on the way of a call uses
 * it.
 * @module
 */

/** Half of the values are at most the first, and so on. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** What to look at. */
export interface MetricsSpan {
  /** Epoch milliseconds; a multiple of the period. */
  readonly fromMs: number
  /** Epoch milliseconds, not in it. */
  readonly untilMs: number
  /** How long each stretch is: whole minutes, in seconds. */
  readonly periodSeconds: number
}

/** What was counted in one stretch of time. */
export interface MetricsPeriod {
  /** Its begin, epoch milliseconds. */
  readonly at: number
  /** Attempts whose end was written. */
  readonly calls: number
  /** Of these, those whose calls are tried again. */
  readonly retries: number
  /** Calls that failed, those that nobody could deliver among them. */
  readonly failures: number
  /** Calls that nobody could deliver: no attempt ended them. */
  readonly undeliverable: number
  /** How long attempts ran, milliseconds. Absent: none did. */
  readonly run?: Percentiles
  /** From due to claimed, milliseconds. Absent: none was. */
  readonly wait?: Percentiles
}

/** Reads what was counted. */
export interface CallMetrics {
  /**
   * The stretches in which anything was counted, the oldest first.
   * @throws AccessDeniedError; NotWiredError where a package is missing; what the service throws
   */
  read(span: MetricsSpan): Promise<readonly MetricsPeriod[]>
}
