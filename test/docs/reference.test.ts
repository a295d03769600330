/**
 * The reference pages cannot drift from the code: each option, default, variable and error is looked up in them.
 * @module
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BundleError } from '../../cdk/bundling/bundle-error.ts'
import { AppDiscoveryError } from '../../src/app-discovery/index.ts'
import { TTL_ATTRIBUTE, tableDefinition } from '../../src/runtime/aws/dynamodb-item.ts'
import { DEFAULTS, ENV } from '../../src/runtime/config/config.ts'
import * as errors from '../../src/runtime/errors.ts'
import { root } from '../support/source-files.ts'
import { configurationPage, withTables } from './configuration-page.ts'
import { exportedInterfaces, optionsOf } from './declared-options.ts'
import { rowsBelow, textOf } from './reference-tables.ts'
import { pages } from './snippets.ts'

const config = 'src/runtime/config/config.ts'

describe('docs/configuration.md', () => {
  const text = textOf(configurationPage)

  test('is what the sources say', () => {
    expect(text, 'run `npm run docs`').toBe(withTables(text))
  })

  test('has every interface of options', () => {
    const declared = exportedInterfaces(config).filter((name) => !name.startsWith('Resolved'))
    const missing = declared.filter((name) => !text.includes(`<!-- options: ${config} ${name} -->`))
    expect(missing, `add a section with \`<!-- options: ${config} … -->\` to ${configurationPage}`).toEqual(
      [],
    )
  })

  const { queue, queueRetentionSeconds, worker, task, backoff, blobs, schedule: _, ...ofApp } = DEFAULTS
  const defaults: readonly (readonly [name: string, defaults: object])[] = [
    ['Config', { ...ofApp, queues: [queue] }],
    ['QueueOptions', { retentionSeconds: queueRetentionSeconds }],
    ['WorkerOptions', worker],
    ['TaskOptions', task],
    ['Backoff', backoff],
    ['BlobOptions', blobs],
  ]

  test.each(defaults)('the docstrings of %s name the defaults', (name, values) => {
    const written = new Map(optionsOf(config, name).map((option) => [option.name, option.default]))
    for (const [option, value] of Object.entries(values)) {
      expect(`${written.get(option)} `, option).toMatch(new RegExp(`^${literalOf(value)}[ ,:]`))
    }
  })

  test('what is missing is named, and what is no longer there', () => {
    const without = (kind: string) => `<!-- ${kind} -->\n<!-- end -->`
    expect(() => withTables(without(`options: ${config} Konfig`))).toThrow('declares no interface Konfig')
    expect(() => withTables(without('becomes: Backoff'))).toThrow('add rows for [baseSeconds,')
  })

  test('a type is read as its reader needs it', () => {
    const types = (path: string, name: string) =>
      Object.fromEntries(optionsOf(path, name).map((option) => [option.name, option.type]))
    expect(types(config, 'WorkerOptions')).toMatchObject({
      concurrency: 'number',
      logLevel: "'debug' | 'info' | 'warn' | 'error'",
      queues: 'string[]',
    })
    expect(types('src/runtime/submit/call-options.ts', 'CallOptions')).toMatchObject({ queue: 'string' })
    expect(types('src/index.ts', 'ConnectOptions')).toMatchObject({
      local: 'object',
      'local.startWorkers': 'boolean',
    })
  })
})

test('docs/scheduling.md lists every option of a schedule, and its default', () => {
  const rows = rowsBelow('docs/scheduling.md', '## Schedules')
  const path = 'src/runtime/config/schedule-options.ts'
  const declared = ['ScheduleTimes', 'ScheduleOptions', 'ConfigSchedule'].flatMap((name) =>
    optionsOf(path, name).map((option) => option.name),
  )
  expect(declared.filter((option) => !rows.has(option))).toEqual([])
  for (const [option, value] of Object.entries(DEFAULTS.schedule)) {
    const shown = typeof value === 'string' ? `'${value}'` : String(value)
    expect(rows.get(option)?.at(-1), option).toContain(`\`${shown}\``)
  }
})

/** A default as its docstring writes it, as a pattern. */
function literalOf(value: unknown): string {
  const text = Array.isArray(value)
    ? `[${value.map((each) => `'${each}'`)}]`
    : typeof value === 'string'
      ? `'${value}'`
      : String(value)
  return text.replace(/[[\]/]/g, '\\$&')
}

describe('docs/errors.md', () => {
  const classes = Object.entries(errors).map(([name, value]) => [name, value.code] as const)

  test.each(classes)('lists %s with its code %s', (name, code) => {
    const row = rowsBelow('docs/errors.md', '## All errors').get(name)
    expect(row?.[1], `add a row for ${name}`).toBe(`\`${code}\``)
    expect(row?.every((cell) => cell !== '')).toBe(true)
  })

  test('lists those of a deployment', () => {
    const rows = rowsBelow('docs/errors.md', '## While deploying')
    const listed = [...rows].map(([name, cells]) => [name, cells[1]])
    expect(listed).toEqual([
      ['AppDiscoveryError', `\`${AppDiscoveryError.code}\``],
      ['BundleError', `\`${new BundleError('').code}\``],
    ])
  })

  test('lists nothing that is not there', () => {
    const listed = [...rowsBelow('docs/errors.md', '## All errors').keys()]
    expect(listed.filter((name) => !(name in errors))).toEqual([])
  })
})

describe('docs/from-celery.md', () => {
  test.each(['## Configuration keys', '### Of the Flask extension'])(
    '"%s" names options that are there',
    (heading) => {
      const interfaces = exportedInterfaces(config).map((name) => [config, name] as const)
      const options = [
        ...[
          ...interfaces,
          ['src/index.ts', 'ConnectOptions'] as const,
          ['src/runtime/submit/call-options.ts', 'CallOptions'] as const,
        ],
        ['src/runtime/aws/aws-backend.ts', 'AwsOptions'] as const,
      ].flatMap(([path, name]) => optionsOf(path, name).map((option) => option.name))
      const known = new Set([...options, ...Object.values(ENV)])
      const rows = [...rowsBelow('docs/from-celery.md', heading).values()]
      expect(rows.length).toBeGreaterThan(10)
      // Names alone: not code with a call or a value in it, and not Celery's own keys.
      const named = rows.flatMap(([, ours = '']) =>
        [...ours.matchAll(/`([A-Za-z_.]+)`/g)].map(([, name = '']) => name),
      )
      expect(named.filter((name) => !known.has(name) && name !== 'max_retries')).toEqual([])
    },
  )
})

describe('docs/backends.md', () => {
  test('the table it defines is the one that the AWS backend expects', () => {
    const json = /```json\n([\s\S]*?)```/.exec(textOf('docs/backends.md'))?.[1] ?? ''
    expect(JSON.parse(json)).toEqual(tableDefinition('shop'))
    expect(textOf('docs/backends.md')).toContain(`AttributeName=${TTL_ATTRIBUTE}`)
  })
})

describe('pages', () => {
  test.each([...pages, 'AGENTS.md', 'CHANGELOG.md'])('the links of %s lead somewhere', (from) => {
    const links = [...textOf(from).matchAll(/\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)/g)]
    const broken = links.filter(([, path = '', anchor]) => {
      const target = path === '' ? from : join(dirname(from), path)
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !anchorsOf(target).includes(anchor.slice(1))
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  test.each([
    ['README.md', 150],
    ['AGENTS.md', 60],
  ])('%s has at most %i lines', (from, most) => {
    expect(textOf(from).trimEnd().split('\n').length).toBeLessThanOrEqual(most)
  })
})

function anchorsOf(target: string): string[] {
  return [...textOf(target).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
