/**
 * What every implementation of the blob port does. It runs over S3 on the wire and over the in-process one.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { BlobLostError } from '../../src/runtime/errors.ts'
import type { Blobs } from '../../src/runtime/ports/blobs.ts'

/** One implementation, ready to be used, with nothing in it. */
export interface BlobsUnderTest {
  readonly blobs: Blobs
  close(): Promise<void>
}

/** After every test. */
const LATER = 32_503_680_000
const key = '0190163d-8694-739b-aea5-000000000000/result-owner'
const MIB = 1024 * 1024

const texts: readonly (readonly [name: string, text: string])[] = [
  ['ASCII', '{"json":1}'],
  ['two to four bytes a character', 'é ∑ 😀 \u0000 \u2028 \ufffe \uffff'],
  ['no character at all', ''],
  ['a byte order mark in front', '\ufeffx'],
  ['every line end', 'a\r\nb\rc\n'],
  ['1 MiB', 'x'.repeat(MIB)],
  ['9 MiB of three bytes each', '∑'.repeat(3 * MIB)],
]

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeBlobs(name: string, setup: () => Promise<BlobsUnderTest>): void {
  /** A test with an implementation of its own. */
  const withBlobs = (run: (blobs: Blobs) => Promise<void>) => async () => {
    const { blobs, close } = await setup()
    try {
      await run(blobs)
    } finally {
      await close()
    }
  }

  describe(`blobs: ${name}`, () => {
    for (const [what, text] of texts) {
      test(
        `what was put comes back as it was: ${what}`,
        withBlobs(async (blobs) => {
          await blobs.put(key, text, LATER)
          expect((await blobs.get(key, Buffer.byteLength(text))) === text).toBe(true)
        }),
      )
    }

    test(
      'what was never put is not there',
      withBlobs(async (blobs) => {
        await blobs.put(key, 'x', LATER)
        expect(await blobs.get('other/result-owner', 10)).toBeUndefined()
        expect(await blobs.get(`${key}-2`, 10)).toBeUndefined()
        expect(await blobs.get(key.slice(0, -1), 10)).toBeUndefined()
      }),
    )

    test(
      'a second put takes the place of the first',
      withBlobs(async (blobs) => {
        await blobs.put(key, 'the first and longer one', LATER)
        await blobs.put(key, 'second', LATER)
        expect(await blobs.get(key, 100)).toBe('second')
      }),
    )

    test(
      'keys are told apart by every character',
      withBlobs(async (blobs) => {
        const keys = ['a:then/result-o', 'A:then/result-o', 'a:then/arguments-o', 'a_-:/result-o']
        for (const each of keys) await blobs.put(each, each, LATER)
        expect(await Promise.all(keys.map((each) => blobs.get(each, 100)))).toEqual(keys)
      }),
    )

    test(
      'a read takes up to its bytes, and refuses one more',
      withBlobs(async (blobs) => {
        for (const text of ['abcd', 'éé', '😀']) {
          await blobs.put(key, text, LATER)
          expect(await blobs.get(key, 4)).toBe(text)
          expect(await blobs.get(key, 5)).toBe(text)
          await expect(blobs.get(key, 3)).rejects.toSatisfy((error) => BlobLostError.is(error))
        }
      }),
    )

    test(
      'after a refused read the next one works',
      withBlobs(async (blobs) => {
        await blobs.put(key, 'x'.repeat(4 * MIB), LATER)
        for (let round = 0; round < 5; round++) {
          await expect(blobs.get(key, 100)).rejects.toSatisfy((error) => BlobLostError.is(error))
        }
        expect(await blobs.get(key, 4 * MIB)).toHaveLength(4 * MIB)
      }),
    )

    test(
      'many at once do not disturb each other',
      withBlobs(async (blobs) => {
        const ids = Array.from({ length: 40 }, (_, index) => `call-${index}`)
        await Promise.all(ids.map((id) => blobs.put(`${id}/result-o`, id.repeat(20_000), LATER)))
        const found = await Promise.all(ids.map((id) => blobs.get(`${id}/result-o`, MIB)))
        expect(found.every((text, index) => text === ids[index]?.repeat(20_000))).toBe(true)
      }),
    )
  })
}
