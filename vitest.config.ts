import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** By name: a file whose name begins with `zz-` judges what the others of its suite did, and so runs after them. */
class InOrderOfNames extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId)))
  }
}

/** Suites that start servers of their own run one file at a time: two cores, and nothing that a neighbour could disturb. */
const withServers = (name: string, include: string[], testTimeout: number) => ({
  extends: true as const,
  test: { name, include, testTimeout, hookTimeout: 300_000, fileParallelism: false, sequence: { groupOrder: 1 } },
})

export default defineConfig({
  test: {
    globalSetup: ['test/node-version.ts'],
    sequence: { sequencer: InOrderOfNames },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.test.ts', 'test/{architecture,hack,lint}/**/*.test.ts'], testTimeout: 60_000 },
      },
      withServers('chart', ['test/chart/**/*.test.ts'], 60_000),
      withServers('integration', ['test/integration/**/*.test.ts'], 120_000),
      withServers('fault', ['test/fault/**/*.test.ts'], 300_000),
      withServers('e2e', ['test/e2e/**/*.test.ts'], 300_000),
    ],
  },
})
