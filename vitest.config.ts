import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { slowFiles } from './hack/tests/selection.ts'

/**
 * The files that took longest the last time come first, so that none of them is left alone at the end. In a new clone nothing tells how long
 * they take, and vitest goes by their size: `slowFiles` come before all others. Those on the node run in order of their names: one whose name
 * begins with `zz-` judges what the others of its suite did.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isOnNode = ({ project }: TestSpecification): boolean => project.name === 'e2e'
    const isSlow = ({ moduleId }: TestSpecification): boolean => slowFiles.some((path) => moduleId.endsWith(`/${path}`))
    // oxlint-disable-next-line unicorn/no-array-sort -- vitest's own method, which returns another array
    const bySpeed = await super.sort(files.filter((file) => !isOnNode(file)))
    const inOrder = files.filter(isOnNode).toSorted((a, b) => a.moduleId.localeCompare(b.moduleId))
    return [...bySpeed.filter(isSlow), ...bySpeed.filter((file) => !isSlow(file)), ...inOrder]
  }
}

/** Test processes, and those that they start, keep what Node compiled: an operator then starts in half of the processor time. */
const env = { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/compiled` }

/**
 * These files work all the time, and `make test` gives them only the processor time that others leave: the timeouts are for what never ends. Without
 * the number of workers, vitest would leave one processor idle.
 */
const working = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 60_000 } }, maxWorkers: availableParallelism() }

/** Files that mostly wait run side by side: more of them than there are processors. */
const withServers = (name: string, { order, ...limits }: { order: number; testTimeout: number; maxWorkers: number }) => ({
  test: {
    name,
    env,
    include: [`test/${name}/**/*.test.ts`],
    ...limits,
    hookTimeout: 300_000,
    sequence: { groupOrder: order },
  },
})

export default defineConfig({
  test: {
    globalSetup: ['test/node-version.ts', 'test/support/shared-cluster.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          env,
          include: ['src/**/*.test.ts', 'test/{architecture,hack,lint}/**/*.test.ts'],
          ...working,
        },
      },
      { test: { name: 'chart', env, include: ['test/chart/**/*.test.ts'], ...working } },
      withServers('integration', { order: 1, testTimeout: 300_000, maxWorkers: 6 }),
      // Each of these runs several operators at once.
      withServers('fault', { order: 2, testTimeout: 300_000, maxWorkers: 3 }),
      {
        test: {
          name: 'e2e',
          env,
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
