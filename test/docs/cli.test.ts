/**
 * Every command of docs/cli.md is run, in its order, on one cluster; what it prints is what the page says.
 *
 * A comment right before a block of `console` says what it is: `cli: run`, or `cli: stays until "…"` for a command that goes
 * on running. `…` in an output stands for anything, and one blank for any number.
 * @module
 */
import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
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
}

const block = /<!-- cli: (?<words>[^\n]*) -->\n```console\n(?<body>[\s\S]*?)^```$/gm

const commands: readonly Command[] = [...text.matchAll(block)].flatMap(({ groups }) => {
  const staysUntil = /stays until "(.*)"/.exec(groups?.words ?? '')?.[1]
  return (groups?.body ?? '')
    .split(/^\$ /m)
    .slice(1)
    .map((part): Command => {
      const [line = '', ...prints] = part.replace(/\n$/, '').split('\n')
      return { line, prints, staysUntil }
    })
})

const oneBlank = (line: string) => line.replace(/\s+/g, ' ').trim()

function expectPrinted(line: string, printed: readonly string[], shown: readonly string[]): void {
  const wrong = shown.filter((each, index) => !isShown(oneBlank(printed[index] ?? ''), oneBlank(each)))
  expect(wrong, `$ ${line}\n${printed.join('\n')}`).toEqual([])
}

/** Runs a line in a shell where `errand` is the command line; what the page leaves out is left out. */
function runLine(line: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', `{ ${line}\n} 2>&1`], { cwd, env }, (_, stdout) => {
      const lines = stdout.replace(/\n$/, '').split('\n')
      resolve(lines.filter((each) => !each.startsWith('errand: the cluster of shop on this machine')))
    })
  })
}

test('every command prints what the page says', async () => {
  const [app] = snippetsOf(page)
  const cwd = writeApp({ 'errand.ts': app?.code ?? '' })
  writeFileSync(join(cwd, 'errand'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`)
  chmodSync(join(cwd, 'errand'), 0o755)
  const env: NodeJS.ProcessEnv = { ...cleanEnvironment, PATH: `${cwd}${delimiter}${process.env.PATH}` }
  for (const { line, prints, staysUntil } of commands) {
    if (staysUntil !== undefined) {
      const command = startCommand(line.split(' ').slice(1), { cwd })
      onTestFinished(async () => {
        command.child.kill('SIGKILL')
        await command.ended
      })
      await command.prints(staysUntil)
      expectPrinted(line, command.stdout().split('\n'), prints)
      continue
    }
    const [, name, inner] = /^(\w+)=\$\((.*)\)$/.exec(line) ?? []
    const printed = await runLine(inner ?? line, cwd, env)
    if (name !== undefined) env[name] = printed[0] ?? ''
    else {
      expectPrinted(line, printed, prints)
      expect(printed, `$ ${line}`).toHaveLength(Math.max(prints.length, 1))
    }
  }
}, 240_000)

test('the page shows every command, and every exit code', () => {
  expect(commands.length).toBeGreaterThan(20)
  const names = [
    'dev',
    'cluster',
    'worker',
    'status',
    'inspect',
    'result',
    'submit',
    'cancel',
    'abort',
    'retry',
  ]
  for (const name of [...names, 'purge', 'pause', 'resume'])
    expect(text, name).toMatch(new RegExp(`\\b${name}\\b`))
  for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(`^\\| ${code} `, 'm'))
})
