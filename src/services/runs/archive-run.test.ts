import { expect, test } from 'vitest'
import type { Broker } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { type OwnerMarker, runName } from '../../contract/index.ts'
import type { RunEntry } from '../../graph/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import { archiveRun } from './archive-run.ts'

const task = { type: 'work', queue: 'work', retry: { maxRetries: 0, initialDelaySeconds: 0 } }
const plan = {
  name: 'x7k2p',
  nodes: [{ name: 'a', dependsOn: [], required: true, task }],
  finally: [],
  onNodeFailure: 'Stop' as const,
  parameters: {},
}
const day = 86_400_000

/** A broker with the log of a run that took a moment and ended so many days ago, which it returns in parts of one entry. */
function setup(
  daysAgo: number,
  more: { readonly log?: readonly string[]; readonly outcome?: 'Conflict' | 'Fenced'; readonly diesAt?: string } = {},
) {
  const clock = fakeClock()
  const endedAtMs = clock.now() - daysAgo * day
  const entries: readonly RunEntry[] = [
    { v: 1, kind: 'Begun', atMs: endedAtMs, token: 't1', plan },
    { v: 1, kind: 'Started', atMs: endedAtMs, node: 'a' },
    { v: 1, kind: 'Ended', atMs: endedAtMs, node: 'a', outcome: 'Succeeded', reason: 'Succeeded' },
    { v: 1, kind: 'Finished', atMs: endedAtMs, outcome: 'Succeeded', reason: 'Succeeded', message: '1 of 1 node succeeded' },
  ]
  let log = more.log ?? entries.map((entry) => JSON.stringify(entry))
  const marker: OwnerMarker = {
    v: 1,
    cluster: 'c1',
    kind: 'TaskExecution',
    namespace: 'team',
    name: 'x7k2p',
    deletionPolicy: 'Delete',
    endedAtMs,
  }
  const archived: Parameters<Broker['archiveRun']>[0][] = []
  const broker = {
    readRun: async (_run, from) => ({ entries: log.slice(from, from + 1), length: log.length, marker, brokerTimeMs: clock.now() }),
    async archiveRun(archive) {
      archived.push(archive)
      log = [archive.entry]
      return { outcome: more.outcome ?? 'Written', length: 1, brokerTimeMs: clock.now() }
    },
  } as Partial<Broker> as Broker
  const points: string[] = []
  const reachPoint = (point: string): void => {
    points.push(point)
    if (point === more.diesAt && points.indexOf(point) === points.length - 1) throw new Error('killed')
  }
  const deps = { brokerClock: createBrokerClock(clock), log: silentLogger, reachPoint }
  const proof = { dispatcher: 'default/team', epoch: 1, holder: 'h' }
  const archive = () => archiveRun(deps, { broker, proof, run: runName('default', 'team', 'x7k2p'), marker })
  return { archive, archived, points, endedAtMs }
}

test('seven days after the end one entry stays, with outcome and token, and the marker says no end any more', async () => {
  const { archive, archived, points, endedAtMs } = setup(7)
  expect(await archive()).toBe(true)
  expect(archived).toHaveLength(1)
  expect(archived[0]).toMatchObject({ expectedLength: 4, proof: { epoch: 1 } })
  expect(archived[0]?.marker).not.toHaveProperty('endedAtMs')
  expect(JSON.parse(archived[0]?.entry ?? '')).toEqual({
    v: 1,
    kind: 'Archived',
    atMs: endedAtMs,
    token: 't1',
    outcome: 'Succeeded',
    reason: 'Succeeded',
    message: '1 of 1 node succeeded',
  })
  expect(points).toEqual(['before archive', 'after archive'])
})

test.each<[string, Parameters<typeof setup>]>([
  ['that ended less than seven days ago', [6.99]],
  ['that is gone', [8, { log: [] }]],
  ['whose log a later version wrote', [8, { log: ['{"v":2}'] }]],
])('the log of a run %s stays as it is', async (_, facts) => {
  const { archive, archived } = setup(...facts)
  expect([await archive(), archived]).toEqual([true, []])
})

test.each(['before archive', 'after archive'])('a process that dies %s is continued by the next one', async (at) => {
  const { archive, archived } = setup(8, { diesAt: at })
  await expect(archive()).rejects.toThrow('killed')
  expect(await archive()).toBe(true)
  expect(archived.length).toBe(1)
})

test.each(['Conflict', 'Fenced'] as const)('a write that is refused (%s) is tried again', async (outcome) => {
  expect(await setup(8, { outcome }).archive()).toBe(false)
})
