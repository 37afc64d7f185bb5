/** Where the active runs of a schedule are, and what keeps them from starting, running or ending: looked at for people, whatever started the run. */
import { type BlockedScheduleReason, findCondition, type Job, type TaskExecution } from '../../api/index.ts'
import type { PlacedRef } from '../../broker/index.ts'
import { cronJobId, schedulerJobId, type Slot, slotJobId } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import { cronJobName, slotObjectName } from '../../plans/index.ts'
import {
  type ActiveRun,
  dueOf,
  executionsPlace,
  isSchedulerGeneration,
  jobsPlace,
  type Ledger,
  primitivePlaces,
  queueOfGeneration,
  queueOfRun,
} from '../../scheduling/index.ts'
import { cronJobNaming, slotJobNaming } from '../../services/slots/index.ts'
import { describeWhereabout, queueFactsOf } from '../../services/tracking/index.ts'
import { hasPod, hasUnreadyPods } from '../../workloads/index.ts'
import {
  type Blockage,
  type Blockages,
  brokerKeyOf,
  type Context,
  type Memory,
  namesOf,
  type RunDetail,
  type TaskScheduleDeps,
} from './gather.ts'

type Deps = Pick<TaskScheduleDeps, 'jobs' | 'executions' | 'engine' | 'installation' | 'directory' | 'pools' | 'queues' | 'whereabouts'>

/** One run that was looked at. `blockage` undefined: it is on its way. */
type Look = {
  readonly detail: RunDetail
  readonly blockage?: Blockage | undefined
  readonly isUnknown?: boolean | undefined
  readonly againAfterMs?: number | undefined
}

/** So many runs of a schedule are looked at, and the pods of so many Jobs; with `Forbid` there is one. */
const mostRuns = { jobs: 200, unready: 20, queued: 100 }

/** A run that nothing has started so long after its dispatch is late: a pool and its nodes start in this time. */
export const startPatienceMs = 300_000

/** Looks at the runs that have been dispatched and have not ended. Costs nothing while there is none. */
export async function findBlockages(
  deps: Deps,
  key: string,
  memory: Memory,
  context: Context,
): Promise<Blockages & { readonly details: ReadonlyMap<Slot, RunDetail>; readonly againAfterMs?: number | undefined }> {
  const ledger = memory.record?.ledger
  const { ledger: name } = namesOf(deps.installation, key)
  if (ledger === undefined) {
    deps.whereabouts.forget(name)
    return { details: new Map(), blocked: [], unknown: memory.record === undefined ? 'All' : new Set() }
  }
  const nowMs = deps.engine.now(memory)
  const active = activeRuns(ledger).filter((run) => dueOf(run) * 1000 <= nowMs)
  const runs = Map.groupBy(active, ({ generation }) => placeOf(generation))
  const graphs = (runs.get('Graph') ?? []).map((run) => lookAtExecution(deps, key, memory, run))
  const jobs = lookAtJobs(deps, key, memory, runs.get('Job') ?? [], context)
  const queued = lookAtQueued(deps, key, memory, (runs.get('Queue') ?? []).slice(0, mostRuns.queued))
  const looks = new Map([...graphs, ...(await jobs), ...queued])
  const late = active.flatMap(({ slot, dispatchedAtMs }) => {
    const leftMs = dispatchedAtMs + startPatienceMs - nowMs
    return looks.get(slot)?.detail.isStarted === false && leftMs > 0 ? [leftMs] : []
  })
  const waits = [...looks.values()].flatMap(({ againAfterMs }) => againAfterMs ?? []).concat(late)
  return {
    details: new Map([...looks].map(([slot, { detail }]) => [slot, detail])),
    blocked: [...looks.values()].flatMap(({ blockage }) => blockage ?? []).toSorted((a, b) => a.slot - b.slot),
    unknown: new Set([...looks].flatMap(([slot, { isUnknown }]) => (isUnknown === true ? [slot] : []))),
    againAfterMs: waits.length === 0 ? undefined : Math.min(...waits),
  }
}

/** Runs without a final outcome whose slots are dispatched for good, the oldest first. */
export function activeRuns({ open, active }: Ledger): readonly ActiveRun[] {
  if (active.length === 0) return []
  const undecided = new Set(open.flatMap(({ slot, state }) => (state === 'Final' ? [] : [slot])))
  return active.filter(({ slot }) => !undecided.has(slot))
}

function placeOf(generation: string): 'Graph' | 'Job' | 'Queue' {
  const place = queueOfGeneration(generation)
  if (place === executionsPlace) return 'Graph'
  return place === jobsPlace || place === primitivePlaces.CronJob ? 'Job' : 'Queue'
}

type Looked = readonly [Slot, Look]

function lookAtExecution({ executions, installation }: Deps, key: string, memory: Memory, { slot }: ActiveRun): Looked {
  const { namespace = '', name } = memory.schedule.metadata
  const { ledger } = namesOf(installation, key)
  const execution = executions.get(`${namespace}/${slotObjectName(name, slotJobId(ledger, slot))}`)
  if (execution === undefined) return [slot, { detail: {}, isUnknown: true }]
  const named = `tex/${execution.metadata.name}`
  const { startTime, waitingFor } = execution.status ?? {}
  // It keeps the graph that it began with.
  const hasBegun = startTime !== undefined
  const detail: RunDetail = {
    run: named,
    isStarted: hasBegun,
    ...(hasBegun ? { startedAtMs: Date.parse(startTime) } : {}),
    ...(waitingFor === undefined ? {} : { waitingFor }),
  }
  const told = blockedIn(execution)
  if (told === undefined) return [slot, { detail }]
  return [
    slot,
    { detail, blockage: { slot, ...told, message: `${named}: ${told.message}`, hasBegun, endedBy: `taskmill cancel ${named}` } },
  ]
}

function blockedIn({ status }: TaskExecution): { readonly reason: BlockedScheduleReason; readonly message: string } | undefined {
  const blocked = findCondition(status?.conditions, 'Blocked')
  if (blocked?.status === 'True') return { reason: blocked.reason as BlockedScheduleReason, message: blocked.message }
  const succeeded = findCondition(status?.conditions, 'Succeeded')
  if (status?.startTime !== undefined || succeeded === undefined || !lastingReasons.has(succeeded.reason)) return undefined
  return { reason: 'NotStarted', message: succeeded.message }
}

/** What keeps a run from its start until somebody acts. What passes by itself within seconds is not told, it would come and go. */
const lastingReasons: ReadonlySet<string> = new Set(['SourceNotFound', 'BrokerNotFound', 'BrokerNotUsable', 'LogUnreadable', 'Paused'])

/** Jobs that run cost nothing, so that none of them hides one whose pods have to be listed; of others, the pods of the oldest are. */
function lookAtJobs(deps: Deps, key: string, memory: Memory, runs: readonly ActiveRun[], context: Context): Promise<readonly Looked[]> {
  const { namespace = '', name } = memory.schedule.metadata
  const { ledger } = namesOf(deps.installation, key)
  let unready = 0
  const own = slotJobNaming({ namespace, schedule: name, ledger })
  const ofCronJob = cronJobNaming({ namespace, name: cronJobName(memory.schedule.metadata), id: cronJobId(ledger) })
  const looks = runs.slice(0, mostRuns.jobs).map(async ({ slot, generation }): Promise<Looked> => {
    const { refOf } = queueOfGeneration(generation) === jobsPlace ? own : ofCronJob
    const job = deps.jobs.cached(refOf(slot))
    if (job === undefined) return [slot, { detail: {}, isUnknown: true }]
    if (hasUnreadyPods(job)) unready += 1
    return hasUnreadyPods(job) && unready > mostRuns.unready
      ? [slot, { detail: detailOfJob(job, undefined) }]
      : lookAtJob(deps, memory, slot, job, context)
  })
  return Promise.all(looks)
}

async function lookAtJob({ jobs }: Deps, memory: Memory, slot: Slot, job: Job, context: Context): Promise<Looked> {
  const { trouble, isUnknown, againAfterMs } = await jobs.trouble(job, context)
  const detail = detailOfJob(job, trouble?.reason)
  if (trouble?.words === undefined) return [slot, { detail, isUnknown, againAfterMs }]
  const named = `job/${job.metadata.name}`
  const message = `${named}: ${trouble.words}`
  // Asked once for what is said.
  const known = memory.blockages?.blocked.find((each) => each.slot === slot && each.message === message)?.hasBegun
  const hasBegun = known ?? (await hasStarted(jobs, job, context))
  if (hasBegun === undefined) return [slot, { detail, isUnknown: true, againAfterMs }]
  const reason = trouble.blocked ?? 'PodFailing'
  return [slot, { detail, blockage: { slot, reason, message, hasBegun, endedBy: `kubectl delete ${named}` }, againAfterMs }]
}

/** Undefined: the API server does not say. What is only told stops nothing else. */
async function hasStarted(jobs: Deps['jobs'], job: Job, context: Context): Promise<boolean | undefined> {
  try {
    return await jobs.hasStarted(job, context)
  } catch (error) {
    context.signal.throwIfAborted()
    context.log.debug({ job: job.metadata.name, error: errorMessage(error) }, 'cannot find out whether a Job has started, retrying later')
    return undefined
  }
}

/** `trouble`: what is wrong with its pods, in a word. */
function detailOfJob(job: Job, trouble: string | undefined): RunDetail {
  const run = `job/${job.metadata.name}`
  if (!hasPod(job)) return { run, isStarted: false, waitingFor: trouble === undefined ? 'a pod' : `a pod (${trouble})` }
  const startedAtMs = Date.parse(job.status?.startTime ?? '')
  return { run, isStarted: true, ...(Number.isNaN(startedAtMs) ? {} : { startedAtMs }) }
}

/** Where the jobs of these runs are, as far as they were looked for; from now on they are. */
function lookAtQueued(
  { directory, installation, pools, queues, whereabouts, engine }: Deps,
  key: string,
  memory: Memory,
  runs: readonly ActiveRun[],
): readonly Looked[] {
  const { ledger, doneQueue } = namesOf(installation, key)
  const brokerKey = brokerKeyOf(memory.schedule)
  const place = directory.get(brokerKey)
  if (runs.length === 0 || place.kind !== 'Known') {
    whereabouts.forget(ledger)
    return runs.map(({ slot }) => [slot, { detail: {}, isUnknown: true }])
  }
  const { name } = memory.schedule.metadata
  const idOf = ({ slot, generation }: Pick<ActiveRun, 'slot' | 'generation'>): string =>
    isSchedulerGeneration(generation) ? schedulerJobId(name, slot * 1000) : slotJobId(ledger, slot)
  const refs = runs.map(({ slot, generation }): PlacedRef => {
    return { id: idOf({ slot, generation }), doneQueue, queue: queueOfRun(generation) }
  })
  whereabouts.follow(ledger, place.endpoint, refs)
  const found = whereabouts.of(ledger)
  const [allPools, allQueues] = [pools.byIndex('byBroker', brokerKey), queues.byIndex('byBroker', brokerKey)]
  return runs.map(({ slot, generation, dispatchedAtMs }): Looked => {
    const job = found.get(idOf({ slot, generation }))
    if (job === undefined) return [slot, { detail: {}, isUnknown: true }]
    const queue = queueOfRun(generation)
    const where = describeWhereabout(job, queue, queueFactsOf(queue, allPools, allQueues), engine.now(memory) - dispatchedAtMs)
    if (where === undefined) return [slot, { detail: {} }]
    const hasBegun = job.startedAtMs !== undefined
    const detail: RunDetail = {
      isStarted: hasBegun,
      ...(hasBegun ? { startedAtMs: job.startedAtMs } : {}),
      ...(job.state === 'Active' ? {} : { waitingFor: where.words }),
    }
    if (where.blocked === undefined) return [slot, { detail }]
    return [slot, { detail, blockage: { slot, reason: where.blocked, message: `its job is ${where.detail}`, hasBegun } }]
  })
}
