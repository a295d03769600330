/**
 * The command line's parts: what is typed, and what is printed.
 * @module
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FleetOutput } from '../../cdk/fleet-output.ts'
import manifest from '../../package.json' with { type: 'json' }
import { shownValue } from '../../src/cli/commands/result.ts'
import { EXIT, exitCodeOf, UsageError } from '../../src/cli/exit-codes.ts'
import {
  clusterFile,
  readClusterFile,
  removeClusterFile,
  writeClusterFile,
} from '../../src/cli/local-aws/cluster-file.ts'
import { environmentWith } from '../../src/cli/local-aws/local-aws.ts'
import { plainLine, plainText } from '../../src/cli/output/plain-text.ts'
import { plainValue } from '../../src/cli/output/plain-value.ts'
import { createScreen, errorText, jsonOf, type Stream } from '../../src/cli/output/screen.ts'
import { complaintAboutNode } from '../../src/cli/own-process.ts'
import { makeProgram } from '../../src/cli/program.ts'
import {
  readJson,
  readMoment,
  readNumber,
  readPorts,
  readSince,
  readWait,
} from '../../src/cli/typed-values.ts'
import { variablesOf } from '../../src/runtime/aws/fleet-of-stack.ts'
import { queuesOf } from '../../src/runtime/aws/made-resources.ts'
import { AccessDeniedError, InvalidOptionError, NotWiredError } from '../../src/runtime/errors.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { writeApp } from '../support/app-folder.ts'

const messageOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as Error).message
  }
  return expect.unreachable('it was not refused')
}

describe('what is typed', () => {
  test('JSON is read as it is', () => {
    expect(readJson('{"a":[1,null]}', 'it')).toEqual({ a: [1, null] })
    expect(readJson('-0.5', 'it')).toBe(-0.5)
  })

  test.each([
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['[1 2]', 3],
    ['1 1', 2],
    ['{"a":1', 6],
    ['"open', 5],
    ['', 0],
    ['{"a":"\n"}', 6],
    [`[${'1,'.repeat(50)}x]`, 101],
    ["{'a':1}", 1],
  ])('%j is wrong at %i', (text, at) => {
    const message = messageOf(() => readJson(text, 'argument 1'))
    expect(message).toContain(at === text.length ? 'it ends too soon' : `at position ${at}\n`)
    const [, shown = '', mark = ''] = message.split('\n')
    expect(mark.trim()).toBe('^')
    expect(shown[mark.indexOf('^')] ?? '').toBe((text[at] ?? '').replace('\n', ' '))
  })

  test('a bare word is told how to quote it', () => {
    expect(messageOf(() => readJson('2026-x', 'it'))).not.toContain('double quotes')
    expect(messageOf(() => readJson('October', 'it'))).toContain(`'"October"'`)
  })

  test('numbers, waits, ports', () => {
    expect(readNumber('--delay', '0.5', 0, 900)).toBe(0.5)
    for (const text of ['', ' ', 'x', '-1', '901', 'NaN', 'Infinity']) {
      expect(messageOf(() => readNumber('--delay', text, 0, 900))).toContain('from 0 to 900')
    }
    expect([readWait(undefined), readWait(true), readWait('3')]).toEqual([
      undefined,
      {},
      { timeoutSeconds: 3 },
    ])
    expect(readPorts({ sqsPort: '9324' })).toEqual({ sqsPort: 9324 })
    expect(messageOf(() => readPorts({ dynamodbPort: '1.5' }))).toContain('--dynamodb-port')
  })

  test('times are dates, or how long ago', () => {
    expect(readSince('2026-10-01').toISOString()).toBe('2026-10-01T00:00:00.000Z')
    const hour = readSince('1h').getTime() - readSince('2h').getTime()
    expect(Math.abs(hour - 3_600_000)).toBeLessThan(1000)
    for (const text of ['', '1', 'soon', '5 minutes', '10w']) {
      expect(messageOf(() => readSince(text))).toContain('how long ago')
    }
  })

  test.each([
    ['2026-10-01T12:30Z', '2026-10-01T12:30:00.000Z'],
    ['2026-10-01T12:30:15.5+02:00', '2026-10-01T10:30:15.500Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ])('%s is a moment', (text, moment) => {
    expect(readMoment('--at', text).toISOString()).toBe(moment)
    expect(readSince(text).toISOString()).toBe(moment)
  })

  test('a moment without a zone is one of this machine', () => {
    expect(readMoment('--at', '2026-10-01T12:30')).toEqual(new Date(2026, 9, 1, 12, 30))
  })

  test.each([
    ...[
      'foo 2026',
      'tomorrow 2027',
      '2027',
      '2027-02',
      '2027-02-31',
      '2027-02-29',
      '2026-13-01',
      '2026-10-00',
    ],
    ...['2026-10-01T24:00', '2026-10-01T12:60', '2026-10-01T12:00+25:00', '2026-10-01 12:00', 'Oct 1 2026'],
  ])('%s is none', (text) => {
    const refusal = `is ${JSON.stringify(text)}, expected a`
    expect(messageOf(() => readMoment('--at', text))).toContain(
      `--at ${refusal} moment of the calendar: 2026-10-01T12`,
    )
    expect(messageOf(() => readSince(text))).toContain(`--since ${refusal} date of the calendar (2026-10-01,`)
  })

  test('every command has a description, and says so of its options', () => {
    const { commands } = makeProgram()
    expect(commands.map((command) => command.name())).toEqual([
      ...['dev', 'cluster', 'worker', 'status', 'inspect', 'monitor', 'result', 'submit'],
      ...['cancel', 'abort', 'retry', 'purge', 'pause', 'resume', 'schedule', 'help'],
    ])
    for (const command of commands) {
      expect(command.description(), command.name()).not.toBe('')
      for (const option of command.options) expect(option.description, option.flags).not.toBe('')
      expect(command.helpInformation()).toContain('--json')
      let help = ''
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
      expect(help, command.name()).toMatch(/Examples?:\n {2}\$ errand /)
    }
  })
})

describe('what is printed', () => {
  const ESC = '\u001b'
  test.each([
    [`${ESC}[31mred${ESC}[0m`, 'red'],
    [`${ESC}]0;title\u0007text`, 'text'],
    [`${ESC}]8;;http://evil${ESC}\\link${ESC}]8;;${ESC}\\`, 'link'],
    [`${ESC}]52;c;ZXZpbA==`, ''],
    [`${ESC}P1$r${ESC}\\x`, 'x'],
    [`${ESC}[2J${ESC}[H${ESC}cgone`, 'gone'],
    ['\u009b31mC1\u009d0;t\u0007', 'C1'],
    ['a\rb\bc\u0000d\u007fe', 'abcde'],
    ['a\u202eb\u2066c', 'abc'],
    [`cut ${ESC}`, 'cut '],
    [`cut ${ESC}[38;5`, 'cut '],
    ['tab\tand\nline\r\nend', 'tab\tand\nline\nend'],
    ['ünïcödé 🙂 漢字', 'ünïcödé 🙂 漢字'],
  ])('%j is shown as %j', (text, shown) => {
    expect(plainText(text)).toBe(shown)
    expect(plainText(plainText(text))).toBe(shown)
  })

  test('a cell is one line', () => {
    expect(plainLine('first\n  second')).toBe('first ⏎ second')
    expect(plainLine('a\tname')).toBe('a name')
  })

  test('JSON holds nothing that a terminal obeys', () => {
    const value = { a: `${ESC}[31m\u009b31m\u202e` }
    const text = jsonOf(value)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(JSON.parse(text)).toEqual(value)
  })

  test('an error is its message and its causes, without escapes', () => {
    const cause = new Error(`inner ${ESC}[31m`)
    expect(errorText(new Error('outer', { cause }))).toBe('outer\ncaused by: inner ')
    expect(errorText('text')).toBe('text')
  })

  test('values that JSON cannot hold are shown as ones that it can', () => {
    const cycle: Record<string, unknown> = {
      n: 1n,
      when: new Date(0),
      map: new Map([['a', new Set([Number.NaN])]]),
    }
    cycle.self = cycle
    const plain = plainValue(cycle, 'it')
    expect(JSON.parse(jsonOf(plain))).toEqual({
      n: '1',
      when: '1970-01-01T00:00:00.000Z',
      map: [['a', ['NaN']]],
      self: '[circular]',
    })
    const twice = { a: 1 }
    expect(plainValue([twice, twice], 'it')).toEqual([{ a: 1 }, { a: 1 }])
  })

  test('a value that is small only because it shares its parts is refused, as is a large one', () => {
    let shared: object = {}
    for (let level = 0; level < 30; level++) shared = { l: shared, r: shared }
    const text = 'x'.repeat(1024 * 1024)
    for (const value of [shared, Array(65).fill(text), Array(5_000_000).fill(1), new Map([['k', shared]])]) {
      expect(() => plainValue(value, 'the result')).toThrow(
        /^the result is over 64 MiB as JSON; leave out --json/,
      )
    }
    expect(plainValue(text, 'it')).toBe(text)
  })

  test('a result is shown in full', () => {
    const shown = shownValue({
      list: Array.from({ length: 250 }, (_, index) => index),
      text: 'x'.repeat(20_000),
    })
    expect(shown).toContain('249')
    expect(shown).toContain('x'.repeat(20_000))
    expect(shown).not.toContain('more')
  })

  const screenOf = (isTTY: boolean) => {
    let text = ''
    const stream: Stream = { isTTY, write: (part) => (text += part) }
    return { screen: createScreen(stream, stream), text: () => text }
  }

  test('rows are a table on a terminal, and tabs elsewhere', async () => {
    const rows = [
      ['foo', 'OK', undefined],
      ['a-long-name', `x${ESC}[31m`, 3],
    ] as const
    const [piped, terminal] = [screenOf(false), screenOf(true)]
    await piped.screen.table(['worker', 'status', 'n'], rows)
    expect(piped.text()).toBe('worker\tstatus\tn\nfoo\tOK\na-long-name\tx\t3\n')
    await terminal.screen.table(['worker', 'status', 'n'], rows)
    const plain = plainText(terminal.text()).split('\n')
    expect(plain).toEqual(['worker       status  n', 'foo          OK', 'a-long-name  x       3', ''])
  })

  test('colours are for terminals', () => {
    expect(screenOf(false).screen.paint('red', 'x')).toBe('x')
  })
})

test('a Node older than package.json allows is told of', () => {
  const oldest = manifest.engines.node.replace('>=', '')
  expect(['20.20.2', '22.11.9', `${oldest}.0`, '23.0.0', '24.21.0'].map(complaintAboutNode)).toEqual([
    expect.stringContaining(`this is Node 20.20.2, and errand needs ${oldest} or later`),
    expect.stringContaining('22.11.9'),
    ...[undefined, undefined, undefined],
  ])
})

test('exit codes', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const codes = [
    [new UsageError('x'), EXIT.usage],
    [new InvalidOptionError('x'), EXIT.usage],
    [new NotWiredError('x'), EXIT.connection],
    [new AccessDeniedError('x'), EXIT.connection],
    [Object.assign(new Error('x'), { name: 'CredentialsProviderError' }), EXIT.connection],
    [new AggregateError([refused]), EXIT.connection],
    [new Error('x'), EXIT.failed],
    ['thrown', EXIT.failed],
  ] as const
  for (const [error, code] of codes) expect(exitCodeOf(error), String(error)).toBe(code)
})

describe('the file of a cluster', () => {
  const setup = () => {
    const folder = writeApp({ 'src/errand.ts': '' })
    const owner = { name: 'shop', modulePath: join(folder, 'src/errand.ts') }
    return { folder, owner, path: clusterFile(owner) }
  }
  const cluster = { app: 'shop', pid: process.pid, variables: { ERRAND_TABLE: 't' } }

  test('lies beside package.json, for its owner alone, and is taken back', () => {
    const { folder, owner, path } = setup()
    expect(dirname(path)).toBe(join(folder, 'node_modules/.cache/errand'))
    writeClusterFile(owner, cluster)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readClusterFile(owner)).toEqual(cluster)
    removeClusterFile(owner, 1)
    expect(readClusterFile(owner)).toEqual(cluster)
    removeClusterFile(owner, process.pid)
    expect(readClusterFile(owner)).toBeUndefined()
  })

  test('is passed over where its process is gone, or it is no such file', () => {
    const { owner, path } = setup()
    expect(readClusterFile(owner)).toBeUndefined()
    writeClusterFile(owner, { ...cluster, pid: 2 ** 22 + 1 })
    expect(readClusterFile(owner)).toBeUndefined()
    mkdirSync(dirname(path), { recursive: true })
    for (const text of ['{', 'null', '[]', JSON.stringify({ ...cluster, app: 'other' })]) {
      writeFileSync(path, text)
      expect(readClusterFile(owner)).toBeUndefined()
    }
  })

  test('another module of the same name has another', () => {
    const { owner, path } = setup()
    expect(clusterFile({ ...owner, modulePath: `${owner.modulePath}x` })).not.toBe(path)
  })
})

test('a process of a cluster is not led to AWS by what its shell has set', () => {
  const env = {
    ...{ PATH: '/bin', AWS_PROFILE: 'prod', AWS_SESSION_TOKEN: 't', AWS_ENDPOINT_URL: 'x' },
    AWS_USE_FIPS_ENDPOINT: 'true',
  }
  expect(environmentWith(env, { AWS_REGION: 'us-east-1' })).toEqual({
    ...{ PATH: '/bin', AWS_REGION: 'us-east-1' },
    // Said, and not left out: a profile may ask for them as well.
    ...{ AWS_USE_FIPS_ENDPOINT: 'false', AWS_USE_DUALSTACK_ENDPOINT: 'false' },
  })
})

test('queues are made behind their dead-letter queues', () => {
  const config = resolveConfig({ name: 'shop', queues: { low: {}, line: { fifo: true } } })
  const made = queuesOf(config)
  expect(made.map(({ name, physicalName }) => [name, physicalName])).toEqual([
    ['low-dead-letters', 'shop-low-dead-letters'],
    ['low', 'shop-low'],
    ['line-dead-letters', 'shop-line-dead-letters.fifo'],
    ['line', 'shop-line.fifo'],
  ])
  expect(made[3]?.attributes).toEqual({
    VisibilityTimeout: '90',
    MessageRetentionPeriod: '345600',
    FifoQueue: 'true',
    RedrivePolicy:
      '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:shop-line-dead-letters.fifo","maxReceiveCount":100}',
  })
})

describe('the fleet of a stack', () => {
  const fleet: FleetOutput = {
    errand: 1,
    app: 'shop',
    version: 'v1',
    table: 'calls',
    queues: { low: 'https://sqs/low' },
    deadLetters: { low: 'https://sqs/low-dlq' },
    fleet: 'jobs/Fleet',
    workers: { foo: 'shop-foo' },
    mappings: { foo: { low: 'a-uuid' } },
  }
  const outputOf = (value: object) => ({
    Description: 'errand fleet shop: its table, queues and functions as JSON',
    OutputValue: JSON.stringify(value),
  })

  test('comes to its variables', () => {
    expect(variablesOf('jobs', 'shop', [{ OutputValue: 'x' }, outputOf(fleet)])).toEqual({
      ERRAND_TABLE: 'calls',
      ERRAND_QUEUE_URLS: '{"low":"https://sqs/low","low-dead-letters":"https://sqs/low-dlq"}',
      ERRAND_FUNCTIONS: '{"foo":{"name":"shop-foo","mappings":{"low":"a-uuid"}}}',
      ERRAND_FLEET: 'jobs/Fleet',
      ERRAND_VERSION: 'v1',
    })
  })

  test('is refused where it is another, or of a form that is not known', () => {
    expect(() => variablesOf('jobs', 'shop', [])).toThrow('but no fleet at all')
    expect(() => variablesOf('jobs', 'shopp', [outputOf(fleet)])).toThrow('did you mean "shop"?')
    expect(() => variablesOf('jobs', 'shop', [outputOf({ ...fleet, errand: 2 })])).toThrow('in form 2')
  })
})
