/**
 * What is hidden of what calls were given and gave. Of its own, since the construct's types name it too, and know no Hono.
 * @module
 */

/** What is hidden of arguments, results, progress and errors, beside what always is. */
export interface RedactOptions {
  /** Names of properties whose values are hidden, wherever they stand; part of a name is enough, case does not matter. @default none */
  readonly keys?: readonly string[]
  /**
   * By name or pattern of a task (`auth.*`; the longest match counts): `true` hides all of it, a list hides the
   * arguments at these positions (from 0) and the properties of these names. @default none
   */
  readonly tasks?: Readonly<Record<string, true | readonly (string | number)[]>>
}
