/**
 * Names of chunks that depend on nothing but what is in them. esbuild makes theirs of a hash of the sources' paths too,
 * and where packages lie, seen from the app, differs from one checkout to another.
 * @module
 */
import { basename } from 'node:path'

/** A file of a bundle. */
export interface BundleFile {
  readonly name: string
  readonly text: string
}

const ENTRY = 'index.mjs'
const chunkName = /chunk-([A-Z0-9]{8})\.mjs/g

/**
 * The files with chunks numbered in the order in which they are named, from the entry on; those that nothing names are
 * left out. Maps keep to theirs.
 */
export function nameChunks(
  outputs: readonly { readonly path: string; readonly text: string }[],
): BundleFile[] {
  const texts = new Map(outputs.map(({ path, text }) => [basename(path), text]))
  const names = numberFrom(ENTRY, texts)
  const renamed = (text: string) => text.replace(chunkName, (name) => names.get(name) ?? name)
  const isNamed = (name: string) => name.startsWith(ENTRY) || names.has(name.replace(/\.map$/, ''))
  return [...texts].flatMap(([name, text]) =>
    isNamed(name) ? [{ name: renamed(name), text: name.endsWith('.map') ? text : renamed(text) }] : [],
  )
}

function numberFrom(entry: string, texts: ReadonlyMap<string, string>): Map<string, string> {
  const names = new Map<string, string>()
  const open = [entry]
  for (const name of open) {
    for (const [chunk] of texts.get(name)?.matchAll(chunkName) ?? []) {
      if (names.has(chunk) || !texts.has(chunk)) continue
      // As long as the hash was, so that the columns of the source maps hold.
      names.set(chunk, `chunk-${String(names.size + 1).padStart(8, '0')}.mjs`)
      open.push(chunk)
    }
  }
  return names
}
