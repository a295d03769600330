/**
 * Says, when the process ends, how many calls end with it: a queue in memory must not lose work in silence.
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
  return `errand: ${lost}: the local queues of "${name}" end with this process; wait for the futures, or close the executor, before it ends\n`
}

function sayWhatIsLost(): void {
  for (const { name, count } of watched) {
    const lost = count()
    if (lost > 0) process.stderr.write(lineOf(name, lost))
  }
}

/** Watches one backend's queues until the returned function is called. One listener serves all. */
export function watchForLoss(unfinished: Unfinished): () => void {
  if (watched.size === 0) process.on('exit', sayWhatIsLost)
  watched.add(unfinished)
  return () => {
    watched.delete(unfinished)
    if (watched.size === 0) process.off('exit', sayWhatIsLost)
  }
}
