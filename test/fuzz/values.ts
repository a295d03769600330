/**
 * Values through the codec: each comes back as it was, or is refused with a path that leads to what is wrong.
 * @module
 */
import fc from 'fast-check'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { UnsupportedValueError } from '../../src/runtime/errors.ts'
import { type Built, buildValue, RegisteredError } from './build-value.ts'
import { placesOf } from './path-of-refusal.ts'
import { recipes } from './recipe.ts'
import { differenceOf } from './same-value.ts'

/** The codec under test. */
export const codec = createCodec({ errors: { registered: RegisteredError } })

const values = recipes()

/** Values that must come back, or be refused: a property for fast-check. Counts which became of them. */
export function valueProperty(counts: { kept: number; refused: number }) {
  return fc.property(values, (recipe) => {
    const built = buildValue(recipe)
    const text = textOf(built)
    if (text === undefined) {
      counts.refused++
      return
    }
    counts.kept++
    if (built.offenders.size > 0) throw new Error(`it was not refused: ${text}`)
    if (built.tooDeep) throw new Error('it is too deep, and was not refused')
    const difference = differenceOf(built.expected, codec.decode(text))
    if (difference !== undefined) throw new Error(`it was changed: value${difference}; its text is ${text}`)
  })
}

/** The text of a value, or nothing where it was refused as it must be. */
function textOf(built: Built): string | undefined {
  try {
    return codec.encode(built.sent, 'result')
  } catch (error) {
    if (!(error instanceof UnsupportedValueError)) throw error
    checkRefusal(built, error)
    return undefined
  }
}

function checkRefusal({ sent, offenders, tooDeep, changes }: Built, error: UnsupportedValueError): void {
  if (!error.message.startsWith(error.path)) throw new Error('the message does not begin with the path')
  if (tooDeep && error.message.includes('nested more than 500 levels')) return
  if (offenders.size === 0) throw new Error(`it was refused: ${error.message.slice(0, 500)}`)
  // What changes between two looks is met by the second one, whose path knows neither Sets nor errors.
  if (changes && error.message.includes('it changed while it was read')) return
  const places = placesOf(error.path, sent)
  const leads = places.some(({ value, holder }) => offenders.has(value) || offenders.has(holder))
  if (!leads) throw new Error(`the path leads elsewhere: ${error.message.slice(0, 500)}`)
}
