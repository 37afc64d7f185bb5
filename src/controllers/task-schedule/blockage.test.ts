import { expect, it } from 'vitest'
import type { Job, TaskExecution, TaskSchedule } from '../../api/index.ts'
import type { PlacedRef, PlacedState } from '../../broker/index.ts'
import { ledgerName, slotJobId } from '../../contract/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { slotObjectName } from '../../plans/index.ts'
import { type ActiveRun, executionsPlace, generationOf, jobsPlace, type OpenSlot } from '../../scheduling/index.ts'
import type { PodLook } from '../../services/jobs/index.ts'
import { findBlockages, startPatienceMs } from './blockage.ts'
import type { Blockages, Memory, TaskScheduleDeps } from './gather.ts'

const key = 'team/report'
const ledger = ledgerName('default', 'team', 'report')
const nowMs = 1_000_000_000
const schedule = { metadata: { namespace: 'team', name: 'report' }, spec: { brokerRef: { name: 'default' } } } as unknown as TaskSchedule
const context = { signal: new AbortController().signal, log: silentLogger }
const place = { kind: 'Known', endpoint: { address: 'redis:6379', keyPrefix: 'bull' } }

/** The slot of the n-th minute. */
const slotOf = (minute: number) => 60 * minute
const runIn =
  (queue: string) =>
  (minute: number): ActiveRun => {
    return { slot: slotOf(minute), generation: generationOf('h', queue), dispatchedAtMs: 60_000 * minute }
  }
const [queued, withJob, ofGraph] = [runIn('q'), runIn(jobsPlace), runIn(executionsPlace)]

type There = {
  readonly active: readonly ActiveRun[]
  readonly open?: readonly OpenSlot[]
  /** What the broker says of the jobs of these slots; those that are missing were not looked at yet. */
  readonly found?: ReadonlyMap<number, Partial<PlacedState>>
  /** Undefined: all its pods run. */
  readonly trouble?: (minute: number) => PodLook | undefined
  /** Status of the Jobs. */
  readonly jobStatus?: object
  /** Statuses of the TaskExecutions in the cache. */
  readonly executions?: ReadonlyMap<number, object>
  readonly place?: object
  readonly isRead?: boolean
  readonly isApiAway?: boolean
}

async function look(there: There): Promise<Awaited<ReturnType<typeof findBlockages>> & { readonly followed: readonly string[] }> {
  const followed: string[] = []
  const states = [...(there.found ?? [])].map(([slot, state]): [string, PlacedState] => {
    const id = slotJobId(ledger, slot)
    return [id, { id, state: 'Waiting', ...state }]
  })
  const minutes = [...Array.from({ length: 200 }).keys()]
  const jobNames = new Map(minutes.map((minute) => [slotJobId(ledger, slotOf(minute)), minute]))
  const deps = {
    installation: 'default',
    engine: { now: () => nowMs },
    directory: { get: () => there.place ?? place },
    pools: { byIndex: () => [] },
    queues: { byIndex: () => [] },
    whereabouts: {
      follow: (_: string, __: object, refs: readonly PlacedRef[]) => void followed.push(...refs.map(({ id }) => id)),
      forget: () => void (followed.length = 0),
      of: () => new Map(states),
    },
    executions: {
      get(name: string) {
        const own = [...(there.executions ?? [])].find(([slot]) => name === `team/${slotObjectName('report', slotJobId(ledger, slot))}`)
        return own && ({ metadata: { name: `run-${own[0]}` }, status: own[1] } as unknown as TaskExecution)
      },
    },
    jobs: {
      cached({ id }: { readonly id: string }) {
        const minute = jobNames.get(id) ?? 0
        const status = there.jobStatus ?? { active: 1, ready: there.trouble?.(minute) === undefined ? 1 : 0 }
        return { metadata: { name: `job-${minute}` }, status } as unknown as Job
      },
      trouble: async ({ metadata }: Job) => there.trouble?.(Number(metadata.name.slice(4))) ?? {},
      hasStarted: async () => (there.isApiAway === true ? Promise.reject(new Error('no answer')) : false),
    },
  } as unknown as TaskScheduleDeps
  const record = there.isRead === false ? undefined : { revision: 1, ledger: { open: there.open ?? [], active: there.active } }
  const found = await findBlockages(deps, key, { schedule, record } as unknown as Memory, context)
  return { ...found, followed }
}

const told = ({ blocked }: Blockages) => blocked.map(({ slot, reason }) => `${slot / 60} ${reason}`)

it('of runs in a queue finds all that are blocked, whichever of them was dispatched first', async () => {
  const found = new Map([
    [slotOf(1), { state: 'Active' as const }],
    [slotOf(2), { isPaused: true as const }],
    [slotOf(3), { isPaused: true as const }],
  ])
  const looked = await look({ active: [1, 2, 3].map(queued), found })
  expect(told(looked)).toEqual(['2 QueuePaused', '3 QueuePaused'])
  expect([looked.unknown, looked.followed.length]).toEqual([new Set(), 3])
})

const noPod: PodLook = { trouble: { unschedulable: 0, words: 'no pod', blocked: 'NoPod' }, againAfterMs: 5_000 }

it('no number of Jobs that run hides one that does not, and the pods of a bounded number are listed', async () => {
  const active = [...Array.from({ length: 150 }).keys()].map(withJob)
  expect(told(await look({ active, trouble: (minute) => (minute === 149 ? noPod : undefined) }))).toEqual(['149 NoPod'])
  let listed = 0
  await look({ active, trouble: () => (listed++, noPod) })
  expect(listed - active.length).toBe(20)
})

it('of Jobs and graphs finds them alike, the oldest first', async () => {
  const looked = await look({
    active: [withJob(1), withJob(2), ofGraph(3), ofGraph(4), queued(5)],
    trouble: (minute) => (minute === 2 ? noPod : undefined),
    executions: new Map([
      [slotOf(3), { startTime: 't', conditions: [{ type: 'Blocked', status: 'True', reason: 'NoPool', message: 'm' }] }],
      [slotOf(4), { startTime: 't', conditions: [] }],
    ]),
    found: new Map([[slotOf(5), { isPaused: true }]]),
  })
  expect(told(looked)).toEqual(['2 NoPod', '3 NoPool', '5 QueuePaused'])
  expect([looked.unknown, looked.againAfterMs]).toEqual([new Set(), 5_000])
})

it('of graphs that have not started, what passes by itself is not told', async () => {
  const waiting = (reason: string) => ({ conditions: [{ type: 'Succeeded', status: 'Unknown', reason, message: 'm' }] })
  const reasons = ['WaitingForDispatch', 'SourceNotFound', 'BrokerUnreachable', 'Scheduled', 'Paused', 'Running']
  const executions = new Map(reasons.map((reason, at) => [slotOf(at + 1), waiting(reason)]))
  expect(told(await look({ active: reasons.map((_, at) => ofGraph(at + 1)), executions }))).toEqual(['2 NotStarted', '5 NotStarted'])
})

it.each<[string, There, Blockages['unknown']]>([
  ['the ledger was not read', { active: [], isRead: false }, 'All'],
  ['a job was not looked at yet', { active: [queued(1)] }, new Set([slotOf(1)])],
  ['the endpoint of the broker is unknown', { active: [queued(1)], place: { kind: 'Blocked' } }, new Set([slotOf(1)])],
  ['the pods of a Job were not looked at yet', { active: [withJob(1)], trouble: () => ({ isUnknown: true }) }, new Set([slotOf(1)])],
  [
    'the API server does not say whether a Job has started',
    { active: [withJob(1)], trouble: () => noPod, isApiAway: true },
    new Set([slotOf(1)]),
  ],
  ['the cache does not show the run of a graph', { active: [ofGraph(1)] }, new Set([slotOf(1)])],
])('says that it does not know while %s', async (_, there, unknown) => {
  expect(await look(there)).toMatchObject({ blocked: [], unknown })
})

it.each<[string, Partial<PlacedState>]>([
  ['waits between two attempts', { startedAtMs: 1 }],
  ['runs', { state: 'Active' }],
  ['has ended', { state: 'Ended' }],
  ['is gone', { state: 'Absent' }],
])('a job that %s is known, and nothing blocks it', async (_, state) => {
  const pooled = { active: [{ ...queued(1), dispatchedAtMs: nowMs - 1_000 }], found: new Map([[slotOf(1), state]]) }
  expect(await look(pooled)).toMatchObject({ blocked: [], unknown: new Set() })
})

it('tells of jobs in a queue which a worker runs, and where the others wait', async () => {
  const found = new Map([
    [slotOf(1), { state: 'Active' as const, startedAtMs: 7 }],
    [slotOf(2), {}],
    [slotOf(3), { startedAtMs: 8 }],
  ])
  const { details } = await look({ active: [1, 2, 3, 4].map(queued), found })
  expect([...details]).toEqual([
    [slotOf(1), { isStarted: true, startedAtMs: 7 }],
    [slotOf(2), { isStarted: false, waitingFor: 'queued in q (no pool)' }],
    [slotOf(3), { isStarted: true, startedAtMs: 8, waitingFor: 'retrying in q (no pool)' }],
    [slotOf(4), {}],
  ])
})

it('tells of graphs what their TaskExecutions wait for', async () => {
  const executions = new Map([
    [slotOf(1), { startTime: '1970-01-02T00:00:00Z', waitingFor: 'summary queued in ai' }],
    [slotOf(2), { waitingFor: 'tdep/morning (not found)' }],
  ])
  const { details } = await look({ active: [1, 2].map(ofGraph), executions })
  expect([...details.values()]).toEqual([
    { run: `tex/run-${slotOf(1)}`, isStarted: true, startedAtMs: 86_400_000, waitingFor: 'summary queued in ai' },
    { run: `tex/run-${slotOf(2)}`, isStarted: false, waitingFor: 'tdep/morning (not found)' },
  ])
})

it.each<[object, PodLook, object]>([
  [{}, {}, { isStarted: false, waitingFor: 'a pod' }],
  [
    {},
    { trouble: { unschedulable: 0, words: 'w', reason: 'ImagePullBackOff' } },
    { isStarted: false, waitingFor: 'a pod (ImagePullBackOff)' },
  ],
  [{ ready: 1, startTime: '1970-01-02T00:00:00Z' }, {}, { isStarted: true, startedAtMs: 86_400_000 }],
])('tells of a Kubernetes Job with the status %j whether a pod of it has come up', async (jobStatus, trouble, detail) => {
  const { details } = await look({ active: [withJob(1)], jobStatus, trouble: () => trouble })
  expect(details.get(slotOf(1))).toEqual({ run: 'job/job-1', ...detail })
})

it('looks again when a run that nothing has started becomes late, and not for one that has started', async () => {
  const run = { ...queued(1), dispatchedAtMs: nowMs - 60_000 }
  const again = async (state: Partial<PlacedState>) => (await look({ active: [run], found: new Map([[slotOf(1), state]]) })).againAfterMs
  expect([await again({}), await again({ startedAtMs: 7 })]).toEqual([startPatienceMs - 60_000, undefined])
})

it('looks at no run that is not dispatched, and at a bounded number of those that are', async () => {
  const open = [{ slot: slotOf(1), state: 'Placed', generation: 'h/q', epoch: 1 } as const]
  expect((await look({ active: [queued(1), queued(20_000)], open })).followed).toEqual([])
  const many = await look({ active: [...Array.from({ length: 150 }).keys()].map(queued) })
  expect(many.followed).toHaveLength(100)
})
