/**
 * The order in which a run takes its test files.
 * @module
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files of a minute and more. Vitest begins with the largest of those that it has not timed yet; these are small, and
 * as the last they would leave cores idle.
 */
const LONG = [
  'test/simulation/simulation.test.ts',
  'test/docs/cli.test.ts',
  'test/soak/soak.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/wire-faults/submits.test.ts',
  'test/wire-faults/transitions.test.ts',
  'test/wire-faults/attempts.test.ts',
  'test/integration/cdk-synth.test.ts',
  'test/integration/fresh-folder.test.ts',
  'test/integration/cli-cluster.test.ts',
  'test/integration/cli-dev.test.ts',
  'test/integration/cli-kills.test.ts',
]

/** Vitest's order, but for the long ones. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((path) => moduleId.endsWith(path))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
