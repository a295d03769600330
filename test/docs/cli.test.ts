/**
 * Every command of docs/cli.md is run, in its order, on one cluster; what it prints is what the page says.
 *
 * A comment right before a block of `console` says what it is: `cli: run`, or `cli: stays until "…"` for a command that goes
 * on running, whose further lines are left out; `elsewhere` in it is another folder, where no cluster runs. `…` in an output
 * stands for anything, alone in a line for any lines, and one blank for any number.
 * @module
 */
import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { inspected } from '../../src/cli/inspected.ts'
import { makeProgram } from '../../src/cli/program.ts'
import { writeApp } from '../support/app-folder.ts'
import { cleanEnvironment, main, startCommand } from '../support/command-line.ts'
import { root } from '../support/source-files.ts'
import { isShown, snippetsOf } from './snippets.ts'

const page = 'docs/cli.md'
const text = readFileSync(join(root, page), 'utf8')

interface Command {
  readonly line: string
  readonly prints: readonly string[]
  readonly staysUntil: string | undefined
  readonly isElsewhere: boolean
}

const block = /<!-- cli: (?<words>[^\n]*) -->\n```console\n(?<body>[\s\S]*?)^```$/gm

const commands: readonly Command[] = [...text.matchAll(block)].flatMap(({ groups }) => {
  const { words = '', body = '' } = groups ?? {}
  const staysUntil = /stays until "(.*)"/.exec(words)?.[1]
  return body
    .split(/^\$ /m)
    .slice(1)
    .map((part): Command => {
      const [line = '', ...prints] = part.replace(/\n$/, '').split('\n')
      return { line, prints, staysUntil, isElsewhere: words.startsWith('elsewhere') }
    })
})

const oneBlank = (line: string) => line.replace(/\s+/g, ' ').trim()

/** What is told of every command that uses the cluster; the page leaves it out. */
const isPlace = (line: string) => line.startsWith('errand: the cluster of shop on this machine')

/** Whether what was printed is what is shown, or begins with it. */
function isPrinted(printed: readonly string[], shown: readonly string[], isWhole: boolean): boolean {
  const [first, ...others] = shown
  if (first === undefined) return !isWhole || printed.length === 0
  if (first === '…') {
    const rests = [...printed.keys(), printed.length].map((skipped) => printed.slice(skipped))
    return rests.some((rest) => isPrinted(rest, others, isWhole))
  }
  const [line, ...rest] = printed
  return line !== undefined && isShown(oneBlank(line), oneBlank(first)) && isPrinted(rest, others, isWhole)
}

/** Runs a line in a shell where `errand` is the command line; what the page leaves out is left out. */
function runLine(line: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', `{ ${line}\n} 2>&1`], { cwd, env }, (_, stdout) => {
      const lines = stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n')
      resolve(lines.filter((line) => !isPlace(line)))
    })
  })
}

test('every command prints what the page says', async () => {
  const [app] = snippetsOf(page)
  const writeShop = () => writeApp({ 'errand.ts': app?.code ?? '' })
  const cwd = writeShop()
  writeFileSync(join(cwd, 'errand'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`)
  chmodSync(join(cwd, 'errand'), 0o755)
  const env: NodeJS.ProcessEnv = { ...cleanEnvironment, PATH: `${cwd}${delimiter}${process.env.PATH}` }
  for (const { line, prints, staysUntil, isElsewhere } of commands) {
    const place = isElsewhere ? writeShop() : cwd
    if (staysUntil !== undefined) {
      const printed = await startLine(line, place, staysUntil)
      if (!isPrinted(printed, prints, false)) expect(printed, `$ ${line}`).toEqual(prints)
      continue
    }
    const [, name, inner] = /^(\w+)=\$\((.*)\)$/.exec(line) ?? []
    const printed = await runLine(inner ?? line, place, env)
    if (name !== undefined) env[name] = printed[0] ?? ''
    else if (!isPrinted(printed, prints, true)) expect(printed, `$ ${line}`).toEqual(prints)
  }
})

/** Starts a command that goes on until the test ends; what it has printed once it has printed this. */
async function startLine(line: string, cwd: string, until: string): Promise<readonly string[]> {
  const command = startCommand(line.split(' ').slice(1), { cwd })
  onTestFinished(async () => {
    command.child.kill('SIGKILL')
    await command.ended
  })
  await command.prints(until)
  return command
    .output()
    .trimEnd()
    .split('\n')
    .filter((each) => !isPlace(each))
}

describe('the page shows', () => {
  const isRun = (words: string) => commands.some(({ line }) => new RegExp(`\\berrand ${words}\\b`).test(line))

  test.each(makeProgram().commands.map((command) => command.name()))('errand %s', (name) => {
    expect(isRun(name)).toBe(true)
  })

  test.each(inspected)('errand inspect %s', (what) => {
    expect(isRun(`inspect ${what}`)).toBe(true)
  })

  test.each(Object.values(EXIT))('the exit code %i', (code) => {
    expect(text).toMatch(new RegExp(`^\\| ${code} `, 'm'))
  })
})
