/**
 * The store as one process sees it over a network that loses, delays and repeats.
 * @module
 */
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { scheduleRowId } from '../../src/runtime/call/scheduled-call.ts'
import type { Store, Written } from '../../src/runtime/ports/store.ts'
import { request, strikes } from './request.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { RECURRING, type Simulation } from './simulation.ts'

/** An eventually consistent read may lag behind by so much; most lag by far less. */
const LAG_MS = 12_000

function remember(sim: Simulation, record: CallRecord): void {
  const versions = sim.versions.get(record.id)
  const version = { at: sim.world.now(), record }
  if (versions === undefined) sim.versions.set(record.id, [version])
  else versions.push(version)
}

/** Writes, and tells the history. */
async function write(
  sim: Simulation,
  process: SimulatedProcess,
  invocation: number | undefined,
  id: string,
  apply: () => Promise<Written>,
): Promise<Written> {
  const before = sim.store.peek(id)
  const answer = await apply()
  // The row of a schedule is of no call.
  if (answer.written && !isScheduleRow(id)) {
    remember(sim, answer.record)
    const after = answer.record
    sim.history.add({ kind: 'write', id, process: process.name, invocation, before, after })
  }
  return answer
}

function isScheduleRow(id: string): boolean {
  return id === scheduleRowId(RECURRING)
}

function readOf(sim: Simulation, id: string, consistent: boolean): CallRecord | undefined {
  if (consistent || !strikes(sim, 'stale-read', id)) return sim.store.peek(id)
  const until = sim.world.now() - Math.floor(sim.faults.amount('stale-read') ** 3 * LAG_MS)
  const versions = sim.versions.get(id) ?? []
  return versions.findLast(({ at }) => at <= until)?.record
}

/** The store of this process. */
export function faultyStore(sim: Simulation, process: SimulatedProcess): Store {
  const { store, mode } = sim
  const send = <T>(operation: string, effect: () => Promise<T>) =>
    request(sim, process, 'store', operation, effect)
  return {
    read(ids, options) {
      const consistent = options?.consistent === true
      if (!mode.readsMarks && !process.isClient && !consistent) return Promise.reject(new Error('no reads'))
      return send('read', async () => ids.map((id) => readOf(sim, id, consistent)))
    },
    put(record, when) {
      const { invocation } = process
      return send(`put ${record.id}`, () =>
        write(sim, process, invocation, record.id, () => store.put(record, when)),
      )
    },
    update(id, change) {
      const { invocation } = process
      return send(`update ${id}`, () => write(sim, process, invocation, id, () => store.update(id, change)))
    },
    putResult: (id, owner, result, expiresAtSeconds) =>
      send(`put the result of ${id}`, () => store.putResult(id, owner, result, expiresAtSeconds)),
    putMessage: (id, body, expiresAtSeconds) =>
      send(`keep the message of ${id}`, () => store.putMessage(id, body, expiresAtSeconds)),
    readMessage: (id) => send(`read the message of ${id}`, () => store.readMessage(id)),
    failed: (queue, sinceMs, untilMs) => store.failed(queue, sinceMs, untilMs),
    // Nothing on the way of a call reads or writes these.
    list: (stretch) => store.list(stretch),
    putNotice: (notice) => store.putNotice(notice),
    notices: () => store.notices(),
    readResult: (id, owner) => send(`read the result of ${id}`, () => store.readResult(id, owner)),
  }
}
