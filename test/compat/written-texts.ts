/**
 * Texts of the codec, ids, hashes and keys, as today's code makes them.
 * @module
 */

import { payloadHash } from '../../src/runtime/codec/codec.ts'
import { idInGroup, idOfKey, newGroupId } from '../../src/runtime/entropy.ts'
import { argumentsKey, fingerprintOf, resultKey } from '../../src/runtime/ports/blobs.ts'
import { codec, values } from './kept-values.ts'

/** What tasks throw, of the values. */
const thrown = Object.keys(values).filter((name) => /error/i.test(name))

/** Every value: its text, and the hash that tells whether a call of it is the same. */
export function writtenValues() {
  return Object.entries(values).map(([name, make]) => {
    const args = [make()]
    const text = codec.encode(make(), 'result')
    return { name, text, payloadHash: payloadHash('reports.build', args, codec.encode(args, 'arguments')) }
  })
}

/** Every error: its text where a task threw it. */
export function writtenErrors() {
  return thrown.map((name) => ({ name, text: codec.encodeThrown(values[name]?.(), 'reports.build') }))
}

const ID = '019b76da-a800-7000-8000-000000000001'

/** Ids that are made of others, so that any process comes to the same. */
export function writtenIds() {
  const entropy = { id: () => ID, owner: () => '', fraction: () => 0 }
  const groups = [0, 1, 250, 1_000_000].map((size) => {
    const id = newGroupId(entropy, 0, size)
    const indices = [0, 9, size - 1].filter((index) => index >= 0 && index < size)
    return { id, size, calls: indices.map((index) => ({ index, id: idInGroup(id, index) })) }
  })
  const keys = [
    { task: 'mail', key: 'order-17' },
    { tenant: 'acme', task: 'reports.build', key: 'é "quoted"' },
  ].map((of) => ({ of, id: idOfKey(of.tenant, of.task, of.key) }))
  const text = '{"json":["large"]}'
  const blobs = [ID, `${ID}:then:2`, '../elsewhere'].map((id) => ({
    ...{ id, text, fingerprint: fingerprintOf(text), owner: 'b3duZXItb2YtMTI' },
    argumentsKey: argumentsKey(id, fingerprintOf(text)),
    resultKey: resultKey(id, 'b3duZXItb2YtMTI'),
  }))
  return { groups, keys, blobs }
}
