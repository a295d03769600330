/**
 * The ports as one execution environment sees them: when it is killed they go dead, as a killed process's do.
 * @module
 */

import type { Clock, Timer } from '../runtime/clock.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { Blobs } from '../runtime/ports/blobs.ts'
import type { OneTimeSchedules } from '../runtime/ports/one-time-schedules.ts'
import type { Queue } from '../runtime/ports/queue.ts'
import type { Store } from '../runtime/ports/store.ts'

/** Ports that can be cut off. */
export interface EnvironmentPorts {
  readonly ports: Ports
  /** From now on no call of the ports has an effect, none settles (also none that was made before), no timer fires. */
  cut(): void
}

/** Whether the environment is alive, and what is to be undone when it dies. */
interface Life {
  alive: boolean
  readonly timers: Set<Timer>
  readonly watches: Set<() => void>
}

/** What a killed environment's code waits for. One each: a shared one would keep all who wait from being collected. */
const never = () => new Promise<never>(() => {})

/** Lets an answer through while the environment is alive. One `then` a call, about 0.1 µs. */
function guardOf(life: Life): <T>(call: () => Promise<T>) => Promise<T> {
  const pass = <T>(value: T): T | Promise<never> => (life.alive ? value : never())
  const fail = (error: unknown): Promise<never> => (life.alive ? Promise.reject(error) : never())
  return (call) => (life.alive ? call().then(pass, fail) : never())
}

function guardedClock(clock: Clock, life: Life): Clock {
  return {
    now: () => clock.now(),
    setTimer(task, delayMs, options) {
      if (!life.alive) return { cancel: () => {} }
      const fire = () => {
        life.timers.delete(timer)
        if (life.alive) task()
      }
      const set = clock.setTimer(fire, delayMs, options)
      const timer: Timer = {
        cancel() {
          life.timers.delete(timer)
          set.cancel()
        },
      }
      life.timers.add(timer)
      return timer
    },
  }
}

function guardedQueue(queue: Queue, life: Life): Queue {
  const guard = guardOf(life)
  return {
    send: (name, messages) => guard(() => queue.send(name, messages)),
    receive: (name, options) => guard(() => queue.receive(name, options)),
    delete: (name, receiptHandles) => guard(() => queue.delete(name, receiptHandles)),
    changeVisibility: (name, changes) => guard(() => queue.changeVisibility(name, changes)),
    counts: (name) => guard(() => queue.counts(name)),
    nameOfArn: (arn) => queue.nameOfArn(arn),
  }
}

function guardedWatch(store: Store, life: Life): Store['watch'] {
  return (listener) => {
    if (!life.alive) return () => {}
    const stop = store.watch?.((record) => {
      if (life.alive) listener(record)
    })
    const unwatch = () => {
      life.watches.delete(unwatch)
      stop?.()
    }
    life.watches.add(unwatch)
    return unwatch
  }
}

function guardedStore(store: Store, life: Life): Store {
  const guard = guardOf(life)
  const watch = store.watch && guardedWatch(store, life)
  return {
    read: (ids, options) => guard(() => store.read(ids, options)),
    put: (record, when) => guard(() => store.put(record, when)),
    update: (id, change) => guard(() => store.update(id, change)),
    putResult: (id, owner, result, expiresAtSeconds) =>
      guard(() => store.putResult(id, owner, result, expiresAtSeconds)),
    readResult: (id, owner) => guard(() => store.readResult(id, owner)),
    putMessage: (id, body, expiresAtSeconds) => guard(() => store.putMessage(id, body, expiresAtSeconds)),
    readMessage: (id) => guard(() => store.readMessage(id)),
    async *failed(queue, sinceMs, untilMs) {
      const ids = store.failed(queue, sinceMs, untilMs)[Symbol.asyncIterator]()
      for (let next = await guard(() => ids.next()); !next.done; next = await guard(() => ids.next())) {
        yield next.value
      }
    },
    list: (stretch) => guard(() => store.list(stretch)),
    putNotice: (notice) => guard(() => store.putNotice(notice)),
    notices: () => guard(() => store.notices()),
    ...(watch && { watch }),
  }
}

function guardedBlobs(blobs: Blobs, life: Life): Blobs {
  const guard = guardOf(life)
  return {
    put: (key, text, expiresAtSeconds) => guard(() => blobs.put(key, text, expiresAtSeconds)),
    get: (key, maxBytes) => guard(() => blobs.get(key, maxBytes)),
  }
}

function guardedSchedules(schedules: OneTimeSchedules, life: Life): OneTimeSchedules {
  const guard = guardOf(life)
  return {
    create: (schedule) => guard(() => schedules.create(schedule)),
    delete: (name) => guard(() => schedules.delete(name)),
  }
}

/** Wraps the ports for one environment. */
export function environmentPorts(ports: Ports): EnvironmentPorts {
  const life: Life = { alive: true, timers: new Set(), watches: new Set() }
  return {
    ports: {
      clock: guardedClock(ports.clock, life),
      entropy: ports.entropy,
      queue: guardedQueue(ports.queue, life),
      store: guardedStore(ports.store, life),
      ...(ports.blobs && { blobs: guardedBlobs(ports.blobs, life) }),
      ...(ports.oneTimeSchedules && { oneTimeSchedules: guardedSchedules(ports.oneTimeSchedules, life) }),
    },
    cut() {
      life.alive = false
      for (const timer of life.timers) timer.cancel()
      for (const unwatch of life.watches) unwatch()
    },
  }
}
