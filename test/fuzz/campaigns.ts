/**
 * The campaigns: each makes its own kind of input in chunks, a seed for each, so that a failure is found again in
 * seconds.
 * @module
 */
import fc from 'fast-check'
import { changedGlobals, snapshotOfGlobals } from './global-prototypes.ts'
import type { HandlerName } from './handler-stage.ts'
import { captureLog } from './log-lines.ts'
import { batchProperty, strayEventProperty } from './messages.ts'
import { textProperty } from './texts.ts'
import { valueProperty } from './values.ts'

/** What became of how many. `made` is what a campaign's size is counted in. */
export type Counts = { made: number } & Record<string, number>

interface Campaign {
  /** How many runs a chunk has. */
  readonly chunkRuns: number
  run(settings: { readonly seed: number; readonly numRuns: number }, counts: Counts): Promise<void>
}

function handlerCampaign(handlerName: HandlerName): Campaign {
  return {
    chunkRuns: 500,
    async run(settings, counts) {
      const found = { messages: 0, sound: 0, batches: 0, deliveries: 0 }
      const log = captureLog()
      try {
        await fc.assert(batchProperty(found, log, handlerName), settings)
        await fc.assert(strayEventProperty(log, handlerName), {
          ...settings,
          numRuns: settings.numRuns / 10,
        })
      } finally {
        log.restore()
      }
      const { messages: made, ...others } = found
      addTo(counts, { made, ...others })
    },
  }
}

const campaigns = {
  values: {
    chunkRuns: 5000,
    async run(settings, counts) {
      const found = { kept: 0, refused: 0 }
      fc.assert(valueProperty(found), settings)
      addTo(counts, { made: found.kept + found.refused, ...found })
    },
  },
  texts: {
    chunkRuns: 5000,
    async run(settings, counts) {
      const found = { decoded: 0, malformed: 0 }
      fc.assert(textProperty(found), settings)
      addTo(counts, { made: found.decoded + found.malformed, ...found })
    },
  },
  messages: handlerCampaign('worker'),
  'dead-letters': handlerCampaign('deadLetters'),
} as const satisfies Readonly<Record<string, Campaign>>

/** The name of a campaign. */
export type CampaignName = keyof typeof campaigns

/** The names of all. */
export const campaignNames = Object.keys(campaigns) as readonly CampaignName[]

function addTo(counts: Counts, found: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(found)) counts[name] = (counts[name] ?? 0) + count
}

/** Which part of a campaign to run. */
export interface CampaignOptions {
  /** How many inputs to make, at least. */
  readonly atLeast: number
  /** The seed of the first chunk. */
  readonly seed: number
  /** From one chunk's seed to the next: as many as there are others that share the work. @default 1 */
  readonly stride?: number
}

/**
 * Runs a campaign.
 * @throws what fast-check says of the smallest failure, with the command that finds it again
 */
export async function runCampaign(name: CampaignName, options: CampaignOptions): Promise<Counts> {
  const { atLeast, seed, stride = 1 } = options
  const campaign: Campaign = campaigns[name]
  const before = snapshotOfGlobals()
  const counts: Counts = { made: 0 }
  for (let chunk = seed; counts.made < atLeast; chunk += stride) {
    try {
      await campaign.run({ seed: chunk, numRuns: campaign.chunkRuns }, counts)
    } catch (error) {
      throw new Error(failureText(name, chunk, error), { cause: error })
    }
    const changed = changedGlobals(before)
    if (changed.length > 0) throw new Error(failureText(name, chunk, `it changed ${changed.join(', ')}`))
  }
  return counts
}

function failureText(name: CampaignName, seed: number, found: unknown): string {
  const others = campaignNames.filter((other) => other !== name).map((other) => ` --${other} 0`)
  const again = `npm run fuzz -- --${name} 1${others.join('')} --seed ${seed}`
  const cause = found instanceof Error ? found.cause : undefined
  const why = cause instanceof Error ? `\n${cause.stack}` : ''
  return `${name}, seed ${seed}; again: ${again}\n${found instanceof Error ? found.message : found}${why}`
}
