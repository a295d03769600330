/**
 * What is on a terminal and nowhere else: tables, a line of progress, a question. And what must not be: escape sequences of
 * tasks.
 */
import { onTestFinished, test } from 'vitest'
import { imports, writeApp } from '../support/app-folder.ts'
import { runCommand, startCommand } from '../support/command-line.ts'
import { runOnTerminal } from '../support/terminal.ts'

/** `steps` waits to be looked at, so that each of its steps is seen: the first look is as soon as the call runs. */
const app = `${imports}
import { currentTask } from 'errand'
import { setTimeout as sleep } from 'node:timers/promises'

async function steps(pauseMs: number) {
  for (let done = 1; done <= 4; done++) {
    await currentTask.progress({ done, total: 4, note: '\\u001b]0;title\\u0007' })
    await sleep(pauseMs)
  }
  return 'all four'
}
async function quiet() {
  await sleep(200)
  return 'red \\u001b[31mnot\\u001b[0m \\u202eevil'
}
async function hostile() {
  throw new Error('gone \\u001b[2J\\u001b]52;c;ZXZpbA==\\u0007 and \\u009b31m back')
}
const config = defineConfig({ name: 'shown', workers: ['foo'], taskOptions: { '*': { maxAttempts: 1 } } })
export const executor = createExecutor(config, { tasks: { steps, quiet, hostile } })
`

/** What a person has seen: the states of the line that is written over, and what is left at the end. */
function seenIn(output: string): { readonly over: readonly string[]; readonly left: string } {
  const [first = '', ...rest] = output.split('\r\u001b[K')
  return { over: rest.slice(0, -1), left: first + (rest.at(-1) ?? '') }
}

/** What of it a terminal obeys, but for bold, which headings are, and the sequence that empties a line. */
const obeyed = (output: string) =>
  ['\u001b[1m', '\u001b[22m', '\u001b[K']
    .reduce((rest, own) => rest.replaceAll(own, ''), output)
    .replaceAll(/[\t\r\n]/g, '')
    .match(/[\p{Cc}\u202e]/gu) ?? []

test('tables, progress, questions, and nothing of what tasks would have a terminal do', async ({
  expect,
}) => {
  const cwd = writeApp({ 'errand.ts': app })
  const cluster = startCommand(['cluster'], { cwd })
  onTestFinished(() => void cluster.child.kill('SIGKILL'))
  await cluster.prints('every worker of shown works')
  const terminal = (...words: string[]) => runOnTerminal(words, { cwd })

  const [status, plain, submitted, quiet, failed, json, piped] = await Promise.all([
    terminal('status'),
    runOnTerminal(['status'], { cwd, env: { NO_COLOR: '1' } }),
    terminal('submit', 'steps', '500', '--wait', '60'),
    terminal('submit', 'quiet', '--wait'),
    terminal('submit', 'hostile', '--wait'),
    terminal('submit', 'steps', '50', '--wait', '--json'),
    runCommand(['submit', 'steps', '50', '--wait'], { cwd }),
  ])
  expect(status.output).toContain('\u001b[1mworker\u001b[22m  \u001b[1mstatus\u001b[22m\r\nfoo     OK\r\n')
  expect(plain.output).toContain('worker  status\r\nfoo     OK\r\n')

  const { over, left } = seenIn(submitted.output)
  expect(over.join('\n')).toMatch(/█{7,}░+ {2,}(25|50|75) % running/)
  expect(over.every((line) => line.length < 80 && !line.includes('\n'))).toBe(true)
  expect(left).toMatch(/^errand: the cluster of shown .*\r\n'all four'\r\n$/)
  expect(seenIn(quiet.output).left).toContain("'red \\x1B[31mnot\\x1B[0m evil'")
  expect(json.output + piped.stdout + piped.stderr).not.toMatch(/█|%/)
  expect(piped.stderr).not.toContain('running')

  expect(failed.code).toBe(1)
  expect(failed.output).toContain('gone  and  back')
  const listed = await terminal('inspect', 'calls', '--state', 'failed')
  expect(listed.output).toContain('gone  and  back')
  const all = [status, submitted, quiet, failed, json, listed]
  expect(all.map(({ output }) => obeyed(output))).toEqual(all.map(() => []))

  const [mistyped, typed, interrupted] = await Promise.all(
    ['defalt\r', 'default\r', '\u0003'].map((text) =>
      runOnTerminal(['purge', 'default'], { cwd, types: { after: 'to go on: ', text } }),
    ),
  )
  expect([mistyped?.code, typed?.code, interrupted?.code]).toEqual([2, 0, 2])
  expect(interrupted?.output).toContain('\r\nerrand: nothing was deleted: no name was typed')
  expect(typed?.output).toContain('purged default')
})
