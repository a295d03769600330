/**
 * Says, when a backend is closed or the process ends, how many calls end with it: a queue in memory must not lose
 * work in silence.
 * @module
 */

/** What is asked at the end: the app's name, and how many of its calls are in the queues. */
export interface Unfinished {
  readonly name: string
  count(): number
}

const watched = new Set<Unfinished>()

function lineOf(name: string, count: number): string {
  const lost = count === 1 ? '1 call is lost' : `${count} calls are lost`
  return `errand: ${lost}: the local queues of "${name}" end here; wait for the futures before you close the executor or leave the process\n`
}

function say({ name, count }: Unfinished): void {
  const lost = count()
  if (lost > 0) process.stderr.write(lineOf(name, lost))
}

function sayAll(): void {
  for (const unfinished of watched) say(unfinished)
}

const signals = ['SIGINT', 'SIGTERM'] as const

/** A signal that nobody handles ends the process without its `exit` event: say it, and let the signal do the rest. */
function sayAtSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  sayAll()
  for (const each of signals) process.off(each, sayAtSignal)
  process.kill(process.pid, signal)
}

function listen(): void {
  process.on('exit', sayAll)
  for (const signal of signals) process.on(signal, sayAtSignal)
}

function stopListening(): void {
  process.off('exit', sayAll)
  for (const signal of signals) process.off(signal, sayAtSignal)
}

/** Watches one backend's queues until the returned function is called, and it too may say what is lost. One listener serves all. */
export function watchForLoss(unfinished: Unfinished): (end: { readonly quiet: boolean }) => void {
  if (watched.size === 0) listen()
  watched.add(unfinished)
  return ({ quiet }) => {
    if (!watched.delete(unfinished)) return
    if (watched.size === 0) stopListening()
    if (!quiet) say(unfinished)
  }
}
