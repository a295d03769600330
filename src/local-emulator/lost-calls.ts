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

/** Watches one backend's queues until the returned function is called, and it too may say what is lost. One listener serves all. */
export function watchForLoss(unfinished: Unfinished): (end: { readonly quiet: boolean }) => void {
  if (watched.size === 0) process.on('exit', sayAll)
  watched.add(unfinished)
  return ({ quiet }) => {
    if (!watched.delete(unfinished)) return
    if (watched.size === 0) process.off('exit', sayAll)
    if (!quiet) say(unfinished)
  }
}
