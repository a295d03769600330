import { describe, expect, it } from 'vitest'
import { runCampaign } from './campaigns.ts'

// `npm run fuzz` runs the same by the million, from any seed. F-21, F-28, F-29, F-30, F-34, S-05, S-08, S-11, I11, I12.

const campaign = { atLeast: 50_000, seed: 1 }
const timeout = 300_000

describe('fuzzing', () => {
  it('values: each comes back as it was, or is refused with a path that leads to why (F-28, F-29)', {
    timeout,
  }, async () => {
    const { made, kept = 0, refused = 0 } = await runCampaign('values', campaign)
    expect(made).toBeGreaterThanOrEqual(50_000)
    expect(Math.min(kept, refused), 'both happen, or it shows nothing').toBeGreaterThan(5000)
  })

  it('texts: each decodes in proportion, or is malformed (F-30)', { timeout }, async () => {
    const { decoded = 0, malformed = 0 } = await runCampaign('texts', campaign)
    expect(decoded + malformed).toBeGreaterThanOrEqual(50_000)
    expect(Math.min(decoded, malformed)).toBeGreaterThan(5000)
  })

  it('messages: each batch is answered, and its sound messages complete (F-21, F-34)', {
    timeout,
  }, async () => {
    const { made, sound = 0, batches = 0, deliveries = 0 } = await runCampaign('messages', campaign)
    expect(made).toBeGreaterThanOrEqual(50_000)
    expect(sound).toBeGreaterThan(10_000)
    expect(deliveries).toBeGreaterThan(batches)
  })

  it('dead letters: each batch is answered, and its calls end', { timeout }, async () => {
    const { made, sound = 0 } = await runCampaign('dead-letters', { ...campaign, atLeast: 20_000 })
    expect(made).toBeGreaterThanOrEqual(20_000)
    expect(sound).toBeGreaterThan(4000)
  })
})
