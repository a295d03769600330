/**
 * Chance from a seed. A number is a hash of the seed, the name of a stream and its place in that stream, so that to
 * leave one decision out shifts none of another stream's.
 * @module
 */

const streamNumbers = new Map<string, number>()

/** FNV-1a, kept: the names are few. */
function numberOf(name: string): number {
  let known = streamNumbers.get(name)
  if (known !== undefined) return known
  known = 0x811c9dc5
  for (let index = 0; index < name.length; index++) {
    known = Math.imul(known ^ name.charCodeAt(index), 0x01000193)
  }
  streamNumbers.set(name, known)
  return known
}

/** A number from 0 up to but not including 1, of this seed, stream and place. */
export function fractionAt(seed: number, stream: string, place: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ numberOf(stream)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ Math.imul(place + 1, 0x297a2d39)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
}

/** One stream of chance. */
export interface Chance {
  /** From 0 up to but not including 1. */
  fraction(): number
  /** A whole number, both ends included. */
  whole(from: number, to: number): number
  pick<T>(list: readonly T[]): T
  happens(probability: number): boolean
}

/** The stream of this name. */
export function chanceOf(seed: number, stream: string): Chance {
  let place = 0
  const fraction = () => fractionAt(seed, stream, place++)
  return {
    fraction,
    whole: (from, to) => from + Math.floor(fraction() * (to - from + 1)),
    pick: (list) => list[Math.floor(fraction() * list.length)] as (typeof list)[number],
    happens: (probability) => fraction() < probability,
  }
}
