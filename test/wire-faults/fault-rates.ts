import type { FaultRates } from '../support/fault-plan.ts'

/** A very bad network: a fifth of all requests fail, and of those most are done all the same. */
export const FAULT_RATES: FaultRates = {
  lostResponses: 0.08,
  lostRequests: 0.05,
  throttles: 0.05,
  errors: 0.02,
}
