/**
 * Text of others, made harmless: what a task, an error or a name holds must not move the cursor, set the title, or answer
 * as if somebody had typed.
 * @module
 */

/**
 * Sequences as ECMA-48 has them: strings (titles, links, the clipboard) up to their end or the line's, CSI, and the
 * short ones; begun by ESC or by one character of C1.
 */
const sequences = new RegExp(
  [
    String.raw`(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?`,
    String.raw`(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?`,
    String.raw`\u001b[ -/]*[0-~]?`,
  ].join('|'),
  'g',
)

/** What is left that a terminal obeys: controls, and what turns the direction of writing. Tab and line feed stay. */
const controls =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The text without escape sequences and control characters; lines stay lines. */
export function plainText(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(sequences, '').replace(controls, '')
}

/** The same in one line, and one cell: tabs part the cells of a table that is piped. */
export function plainLine(text: string): string {
  return plainText(text)
    .replace(/\s*\n\s*/g, ' ⏎ ')
    .replaceAll('\t', ' ')
}
