/**
 * One cluster of an app on a machine, whatever is left of those before.
 * @module
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  clusterFile,
  readClusterFile,
  releaseStart,
  startFolder,
  takeStart,
  writeClusterFile,
} from '../../src/cli/local-aws/cluster-file.ts'
import { writeApp } from '../support/app-folder.ts'

const GONE = 2 ** 22 + 1
/** Another process that is there. */
const OTHER = process.ppid

const ownerOf = (cwd: string) => ({ name: 'shop', modulePath: join(cwd, 'errand.ts') })
const setup = () => {
  const owner = ownerOf(writeApp({ 'errand.ts': '' }, {}, onTestFinished))
  mkdirSync(dirname(clusterFile(owner)), { recursive: true })
  return owner
}

describe("a cluster's file (F-50)", () => {
  test('that is half a JSON text reads as none', () => {
    const owner = setup()
    const whole = JSON.stringify({ app: 'shop', pid: process.pid, variables: {} })
    writeFileSync(clusterFile(owner), whole.slice(0, whole.length / 2))
    expect(readClusterFile(owner)).toBeUndefined()
  })

  test('of a process that is gone reads as none', () => {
    const owner = setup()
    writeClusterFile(owner, { app: 'shop', pid: GONE, variables: {} })
    expect(readClusterFile(owner)).toBeUndefined()
  })

  test('two that start at once leave one, until it has started', () => {
    const owner = setup()
    expect(takeStart(owner, OTHER)).toBeUndefined()
    expect(takeStart(owner, process.pid)).toBe(OTHER)
    releaseStart(owner, process.pid)
    expect(takeStart(owner, process.pid)).toBe(OTHER)
    releaseStart(owner, OTHER)
    expect(takeStart(owner, process.pid)).toBeUndefined()
    releaseStart(owner, process.pid)
    expect(readdirSync(dirname(startFolder(owner)))).toEqual([])
  })

  test.each([String(GONE), 'x'])('what was left of a start that was killed is taken over: %j', (left) => {
    const owner = setup()
    for (const folder of [startFolder(owner), `${startFolder(owner)}.${process.pid}.left`]) {
      mkdirSync(folder)
      writeFileSync(join(folder, left), '')
    }
    expect(takeStart(owner, process.pid)).toBeUndefined()
    expect(takeStart(owner, OTHER)).toBe(process.pid)
    releaseStart(owner, process.pid)
    expect(readdirSync(dirname(startFolder(owner)))).toEqual([])
  })
})
