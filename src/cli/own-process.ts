/**
 * What the process of the command line sees to before it reads what was typed.
 * @module
 */

/** As `engines` in package.json says it. */
const OLDEST = [22, 12] as const

/** What is wrong with this version of Node; npm only warns, and what an old one lacks it calls a syntax error. */
export function complaintAboutNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined
  return `errand: this is Node ${version}, and errand needs ${OLDEST.join('.')} or later: install one, and put it first in PATH`
}

/** Ends this process where its Node is too old. */
export function refuseOldNode(): void {
  const complaint = complaintAboutNode(process.versions.node)
  if (complaint === undefined) return
  process.stderr.write(`${complaint}\n`)
  process.exit(1)
}

/**
 * Goes on where whoever read the output is gone: `errand inspect calls | head -1` is no failure, and in `errand cluster |
 * tee log` Ctrl-C ends `tee` as well, while what runs is to be drained.
 */
export function outlastReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}
