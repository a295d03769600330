/**
 * A place in the listing of calls, the newest first: how two are compared, and how one travels as a page's `next`.
 * @module
 */
import { hash } from 'node:crypto'
import { showValue } from '../config/nearest-name.ts'
import { InvalidOptionError } from '../errors.ts'
import type { ListingPosition } from '../ports/store.ts'

/**
 * Below 0 where `a` is the newer. By the time of creation, then by the bytes of the id, as DynamoDB sorts: by another
 * order a page that ends among calls of one millisecond would leave some of them out.
 */
export function compareListed(a: ListingPosition, b: ListingPosition): number {
  return b.createdAt - a.createdAt || Buffer.compare(Buffer.from(b.id), Buffer.from(a.id))
}

/** What a `next` may take: an id has 128 characters, each of up to 6 bytes as JSON writes them. */
const TOKEN_LENGTH = 2048

/** A short hash of what a page was asked for: its `next` is good for nothing else. */
export function fingerprint(asked: unknown): string {
  return hash('sha256', JSON.stringify(asked), 'base64url').slice(0, 12)
}

/** The `next` of a page that ended at `position`. */
export function tokenOf({ createdAt, id }: ListingPosition, asked: string): string {
  return Buffer.from(JSON.stringify({ at: createdAt, id, of: asked })).toString('base64url')
}

/**
 * The position in a `next`.
 * @throws InvalidOptionError where no page of the same filter gave it
 */
export function positionOf(token: unknown, asked: string): ListingPosition {
  const parsed = typeof token === 'string' && token.length <= TOKEN_LENGTH ? parsedToken(token) : undefined
  if (parsed === undefined) {
    throw new InvalidOptionError(
      `\`after\` is ${showValue(token)}, expected the \`next\` of a page, as it is`,
    )
  }
  if (parsed.of === asked) return { createdAt: parsed.at, id: parsed.id }
  throw new InvalidOptionError(
    '`after` is the `next` of a page of another filter; ask for the first page of this one, and go on with its `next`',
  )
}

function parsedToken(token: string): { at: number; id: string; of: string } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (typeof value !== 'object' || value === null || Object.keys(value).join() !== 'at,id,of')
      return undefined
    const { at, id, of } = value as Record<string, unknown>
    if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined
    if (typeof id !== 'string' || id.length > 256 || typeof of !== 'string') return undefined
    return { at, id, of }
  } catch {
    return undefined
  }
}
