/**
 * The lines of several workers in one output, each behind its worker's name.
 * @module
 */
import { plainText } from '../output/plain-text.ts'
import type { Screen, Style } from '../output/screen.ts'

const styles: readonly Style[] = ['cyan', 'magenta', 'yellow', 'green', 'blue', 'red']

/** Makes the functions that say a line, by name. */
export function createPrefixes(screen: Screen): (name: string) => (line: string) => void {
  const names: string[] = []
  return (name) => {
    if (!names.includes(name)) names.push(name)
    const style = styles[names.indexOf(name) % styles.length] as Style
    return (line) => {
      const width = Math.max(...names.map((each) => each.length))
      screen.say(`${screen.paint(style, `${name.padEnd(width)} |`)} ${plainText(line)}`)
    }
  }
}
