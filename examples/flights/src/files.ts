/**
 * Where the files are that are no code: beside the sources on a laptop, in the function's own folder on Lambda, where
 * `cdk/flights-stack.ts` puts them.
 * @module
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Set by Lambda: the folder that a function's bundle and its files lie in. */
const taskRoot = process.env.LAMBDA_TASK_ROOT

/** The path of a file of the page. */
export function pageFile(name: string): string {
  if (taskRoot !== undefined) return join(taskRoot, 'page', name)
  return fileURLToPath(new URL(`../page/${name}`, import.meta.url))
}

/** The path of the data. */
export function dataFile(): string {
  if (taskRoot !== undefined) return join(taskRoot, 'flights-200k.json')
  // The package exports its module alone; the data lies beside it.
  return join(createRequire(import.meta.url).resolve('vega-datasets'), '../../data/flights-200k.json')
}
