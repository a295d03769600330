/**
 * One worker in a process of its own, as its parent sees it: whether it is ready, and killed where its event loop is
 * blocked for longer than the worker's time-out, as Lambda kills what does not end.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { ChildMessage, ChildRequest, ParentMessage } from '../worker/worker-child.ts'

/** How to start one. */
export interface WorkerProcessOptions {
  readonly request: ChildRequest
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv
  readonly timeoutSeconds: number
  readonly clock: Clock
  /** Told of each line that it prints, and of what becomes of it. */
  say(line: string): void
}

/** A worker's process. */
export interface WorkerProcess {
  readonly pid: number | undefined
  /** Whether it came to work; settles with `false` where it ended before. */
  readonly ready: Promise<boolean>
  /** How it ended: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>
  /** Has it end once what it runs has ended. */
  drain(): void
  kill(): void
}

const program = fileURLToPath(new URL(`../worker/worker-child${extname(import.meta.url)}`, import.meta.url))

/** Starts one. */
export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const { request, env, say } = options
  const child = fork(program, [JSON.stringify(request)], {
    env,
    execArgv: ['--enable-source-maps', '--no-warnings'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  for (const stream of [child.stdout, child.stderr]) if (stream) readLines(stream, say)
  const stopWatching = watchLoop(child, options)
  // A process that could not be made has no exit.
  const exited = Promise.race([once(child, 'exit'), once(child, 'error').then(([error]) => [String(error)])])
  const ended = exited.then(([code, signal]) => {
    stopWatching()
    return signal ? `signal ${signal}` : `exit code ${code}`
  })
  const told = new Promise<boolean>((resolve) => {
    child.on('message', (message: ChildMessage) => {
      if (message.told === 'ready') resolve(true)
      if (message.told === 'failed') {
        for (const line of message.message.split('\n')) say(line)
      }
    })
  })
  return {
    pid: child.pid,
    ready: Promise.race([told, ended.then(() => false)]),
    ended,
    drain: () => {
      const message: ParentMessage = 'drain'
      // It may end meanwhile; then there is nobody to tell.
      if (child.connected) child.send(message, () => {})
    },
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

function readLines(stream: Readable, say: (line: string) => void): void {
  createInterface({ input: stream }).on('line', say)
}

/**
 * A parent that was held up itself finds its timers due before it finds the beats that came meanwhile: it looks once more
 * after this time, in which it reads them.
 */
const LOOK_AGAIN_MS = 1000

/** Kills it where it has not beaten for the worker's time-out; returns how to stop. */
export function watchLoop(
  child: Pick<ChildProcess, 'on' | 'off' | 'kill'>,
  { clock, timeoutSeconds, say }: Pick<WorkerProcessOptions, 'clock' | 'timeoutSeconds' | 'say'>,
): () => void {
  let timer: Timer | undefined
  const after = (ms: number, then: () => void) => {
    timer?.cancel()
    timer = clock.setTimer(then, ms, { background: true })
  }
  const kill = () => {
    say(`its event loop was blocked for over ${timeoutSeconds} s, its time-out: killed, as Lambda does`)
    child.kill('SIGKILL')
  }
  const wait = () => after(timeoutSeconds * 1000, () => after(LOOK_AGAIN_MS, kill))
  wait()
  child.on('message', wait)
  return () => {
    child.off('message', wait)
    timer?.cancel()
  }
}
