import { defineConfig } from 'vitest/config'

/** Suites that start servers of their own run one file at a time: two cores, and nothing that a neighbour could disturb. */
const withServers = (name: string, include: string[], testTimeout: number) => ({
  extends: true as const,
  test: { name, include, testTimeout, hookTimeout: 300_000, fileParallelism: false, sequence: { groupOrder: 1 } },
})

export default defineConfig({
  test: {
    globalSetup: ['test/node-version.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts', 'test/hack/**/*.test.ts'] },
      },
      withServers('chart', ['test/chart/**/*.test.ts'], 60_000),
      withServers('integration', ['test/integration/**/*.test.ts'], 120_000),
      withServers('fault', ['test/fault/**/*.test.ts'], 300_000),
      withServers('e2e', ['test/e2e/**/*.test.ts'], 300_000),
    ],
  },
})
