/**
 * The program between `errand dev` and the command beside it: the command ends with its parent, however that one ended, so
 * that no web server is left on its port.
 * @module
 */
import { spawn } from 'node:child_process'
import { systemClock } from '../../runtime/clock.ts'
import { type OneProcess, processesBelow, stillThere } from './processes-below.ts'

/** What it tells its parent, once. */
export type BesideMessage = 'spawned' | { readonly failed: string }

/** What shells add to the number of a signal. */
const SIGNALLED = 128
const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
}

/** How long a command has to end by itself once the parent is gone. */
const GRACE_MS = 2000

const [command = '', ...args] = JSON.parse(process.argv[2] ?? '[]') as string[]

/** A terminal sends Ctrl-C to all of them; what becomes of the command then is its own affair, or its parent's. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const child = spawn(command, args, { stdio: 'inherit' })

function tell(message: BesideMessage): void {
  if (process.connected) process.send?.(message)
}

/** Looked up before a signal is sent: once their parent has ended nothing says whose they were. */
let below: readonly OneProcess[] = []

/** A shell that is told to end says nothing to what it runs. */
function end(signal: NodeJS.Signals): void {
  if (child.pid !== undefined) below = processesBelow(child.pid)
  child.kill(signal)
}

/** Ends what the command has left behind, which nobody would find. */
function endBelow(): void {
  if (below.length === 0) return
  for (const { pid } of stillThere(below)) {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It has just ended.
    }
  }
}

function abandon(): void {
  end('SIGTERM')
  systemClock.setTimer(() => end('SIGKILL'), GRACE_MS)
}

child.on('spawn', () => tell('spawned'))
child.on('error', ({ message }) => {
  tell({ failed: message })
  // Nothing is left to wait for.
  process.disconnect?.()
})
child.on('exit', (code, signal) => {
  endBelow()
  process.exit(code ?? SIGNALLED + (signalNumbers[signal as NodeJS.Signals] ?? 0))
})
process.on('message', end)
process.on('disconnect', abandon)
// Gone while this module was loaded.
if (!process.connected) abandon()
