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
import { DEFAULTS, ENV } from '../../src/runtime/config.ts'
import * as errors from '../../src/runtime/errors.ts'
import { root } from '../support/source-files.ts'
import { membersOf, rowsBelow, textOf } from './reference-tables.ts'
import { pages } from './snippets.ts'

const config = 'src/runtime/config.ts'
const page = 'docs/configuration.md'

describe('docs/configuration.md', () => {
  test.each([
    ['## The app', config, 'Config'],
    ['## Queues', config, 'QueueOptions'],
    ['## Workers', config, 'WorkerOptions'],
    ['## Tasks', config, 'TaskOptions'],
    ['### Back-off', config, 'Backoff'],
    ['### Large payloads', config, 'BlobOptions'],
    ['## Calls', 'src/runtime/call-options.ts', 'CallOptions'],
    ['## The executor', 'src/index.ts', 'ConnectOptions'],
    ['### AWS', 'src/runtime/aws/aws-backend.ts', 'AwsOptions'],
  ])('"%s" lists every option of %s %s', (heading, path, name) => {
    const declared = membersOf(path, name)
    expect(declared.length).toBeGreaterThan(0)
    const listed = [...rowsBelow(page, heading).keys()]
    const missing = declared.filter((option) => !listed.includes(option))
    expect(missing, `add a row to "${heading}" of ${page}`).toEqual([])
  })

  const { worker, task, backoff, blobs } = DEFAULTS
  const defaults = [
    ...Object.entries(worker).map(([option, value]) => ['## Workers', option, value] as const),
    ...Object.entries(task).map(([option, value]) => ['## Tasks', option, value] as const),
    ...Object.entries(backoff).map(([option, value]) => ['### Back-off', option, value] as const),
    ...Object.entries(blobs).map(([option, value]) => ['### Large payloads', option, value] as const),
    ['## Queues', 'retentionSeconds', DEFAULTS.queueRetentionSeconds] as const,
    ['## The app', 'queues', `['${DEFAULTS.queue}']`] as const,
    ['## The app', 'record', DEFAULTS.record] as const,
    ['## The app', 'listing', DEFAULTS.listing] as const,
  ]

  test.each(defaults)('"%s" says that the default of `%s` is %s', (heading, option, value) => {
    const cells = rowsBelow(page, heading).get(option) ?? []
    const shown = typeof value === 'string' && !value.startsWith('[') ? `'${value}'` : String(value)
    expect(cells.at(-1), `the last column of \`${option}\``).toContain(`\`${shown}\``)
  })

  test('no default is left out of this test', () => {
    const known = [
      'queue',
      'queueRetentionSeconds',
      'worker',
      'task',
      'backoff',
      'record',
      'listing',
      'blobs',
      'longDelays',
      'schedule',
    ]
    expect(Object.keys(DEFAULTS).sort()).toEqual(known.sort())
  })

  test('every environment variable is listed', () => {
    const listed = [...rowsBelow(page, '## Environment variables').keys()]
    expect(listed).toEqual(expect.arrayContaining(Object.values(ENV)))
  })
})

test('docs/scheduling.md lists every option of a schedule, and its default', () => {
  const rows = rowsBelow('docs/scheduling.md', '## Schedules')
  const path = 'src/runtime/schedule-options.ts'
  const declared = ['ScheduleTimes', 'ScheduleOptions', 'ConfigSchedule'].flatMap((name) =>
    membersOf(path, name),
  )
  expect(declared.filter((option) => !rows.has(option))).toEqual([])
  for (const [option, value] of Object.entries(DEFAULTS.schedule)) {
    const shown = typeof value === 'string' ? `'${value}'` : String(value)
    expect(rows.get(option)?.at(-1), option).toContain(`\`${shown}\``)
  }
})

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
