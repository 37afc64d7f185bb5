import { expect, test } from 'vitest'
import type { Broker, PlacedRef, PlacedState, RunAppend } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { nodeJobId, type OwnerMarker, runName } from '../../contract/index.ts'
import type { RunEntry } from '../../graph/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import { visitRecord } from '../engine/index.ts'
import type { RunMemory } from './run-log.ts'
import { createRunKind } from './runs.ts'

const run = runName('default', 'team', 'report')
const proof = { dispatcher: 'default/team', epoch: 1, holder: 'h' }
const marker: OwnerMarker = { v: 1, cluster: 'c1', kind: 'TaskExecution', namespace: 'team', name: 'report', deletionPolicy: 'Delete' }
const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }
const plan = {
  name: 'report',
  nodes: [{ name: 'a', dependsOn: [], required: true, task }],
  finally: [],
  onNodeFailure: 'Stop' as const,
  parameters: {},
}

/** A run of one node that has been placed, at a broker of which the test says where the job is. */
function setup() {
  const clock = fakeClock()
  const atMs = clock.now()
  const log: RunEntry[] = [
    { v: 1, kind: 'Begun', atMs, token: 't1', plan },
    { v: 1, kind: 'Started', atMs, node: 'a' },
  ]
  const id = nodeJobId(run, 't1', 'a')
  /** Where the job is, where it was when people looked for it, and what it answers to a removal. */
  const job: { now: PlacedState['state']; before: PlacedState['state']; cancelled: 'Removed' | 'Running' | 'Ended' | 'Absent' } = {
    now: 'Waiting',
    before: 'Waiting',
    cancelled: 'Ended',
  }
  const broker = {
    readRun: async (_run: string, from: number) => {
      return { entries: log.slice(from).map((entry) => JSON.stringify(entry)), length: log.length, marker, brokerTimeMs: clock.now() }
    },
    async appendRun({ entries }: RunAppend) {
      log.push(...entries.map((entry) => JSON.parse(entry) as RunEntry))
      return { outcome: 'Written', length: log.length, brokerTimeMs: clock.now() }
    },
    placeJobs: async () => 'Placed',
    cancelPlaced: async () => job.cancelled,
    lookAtPlaced: async (refs: readonly PlacedRef[]) => refs.map((ref) => ({ id: ref.id, state: job.now })),
    acknowledgeEnded: async () => 'Done',
  } as unknown as Broker
  const memory: RunMemory = { record: undefined }
  return {
    job,
    endOfNode: () => log.find((entry) => entry.kind === 'Ended'),
    async visit(desired: 'Running' | 'Cancelled' = 'Running') {
      const whereabouts = () => new Map([[id, { id, state: job.before }]])
      const visit = {
        broker,
        proof,
        marker,
        run,
        doneQueue: 'done',
        memory,
        desired,
        pendingCompletions: () => [],
        whereabouts,
        subjects: [],
      }
      const { signal } = new AbortController()
      const kind = createRunKind({ brokerClock: createBrokerClock(clock), log: silentLogger }, { ...visit, signal })
      await visitRecord(kind, memory, { proof, signal })
    },
  }
}

test('a node whose job was missed is looked for, and has failed if there is none', async () => {
  const { job, visit, endOfNode } = setup()
  await visit()
  job.before = 'Absent'
  await visit()
  expect(endOfNode()).toBeUndefined()
  job.now = 'Absent'
  await visit()
  expect(endOfNode()).toMatchObject({ node: 'a', outcome: 'Failed', reason: 'JobRemoved' })
})

test('a node that had ended when it was to be stopped counts as stopped if its end is lost', async () => {
  const { job, visit, endOfNode } = setup()
  await visit()
  await visit('Cancelled')
  expect(endOfNode()).toBeUndefined()
  job.before = 'Absent'
  job.now = 'Ended'
  await visit('Cancelled')
  expect(endOfNode()).toBeUndefined()
  job.now = 'Absent'
  await visit('Cancelled')
  expect(endOfNode()).toMatchObject({ node: 'a', outcome: 'Cancelled', reason: 'RunCancelled' })
})
