/**
 * A thread that ends its process once the parent is gone, whatever the event loop is at.
 * @module
 */
import { workerData } from 'node:worker_threads'
import { systemClock } from '../../runtime/clock.ts'

const LOOK_MS = 1000

function look(): void {
  // A process whose parent has ended is given another.
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL')
  systemClock.setTimer(look, LOOK_MS)
}

look()
