import { isTerminating, type TaskExecution, taskExecutions } from '../../api/index.ts'
import type { OwnerMarker } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { Driven, Removal, Site } from '../../services/engine/index.ts'
import { createRunKind, type RunHappening, type RunLost, type RunVisit } from '../../services/runs/index.ts'
import type { Decision } from './decide.ts'
import { brokerKeyOf, type Context, type ExecutionSituation, isAwaited, type Memory, namesOf, type TaskExecutionDeps } from './gather.ts'

/** What has become of a look: the situation, when to look again, and what was written meanwhile. */
export type Acted = {
  readonly situation: ExecutionSituation | { readonly kind: 'Failed'; readonly error: unknown }
  readonly againAfterMs?: number | undefined
  readonly happened: readonly RunHappening[]
  /** The broker lost the log, or a part of it. */
  readonly isLost: boolean
}

/** Drives a run, as far as the dispatch lease allows it. */
export async function act(deps: TaskExecutionDeps, key: string, memory: Memory, decision: Decision, context: Context): Promise<Acted> {
  followEnds(deps, key, memory)
  const { desired, begin, owner } = decision
  const { uid } = memory.execution.metadata
  const isWanted = () => {
    const there = deps.executions.get(key)
    return there !== undefined && there.metadata.uid === uid && !isTerminating(there)
  }
  const kindAt = (site: Site) => kindOf(deps, key, memory, site, { desired, begin, owner, isWanted })
  const driven = await deps.engine.drive(memory, brokerKeyOf(memory), kindAt, context)
  const situation = situationOf(driven, memory, decision)
  return { ...driven, situation, isLost: driven.situation.kind === 'Lost' }
}

/** Its source does not exist, and the place of its log is unknown. */
export function nothingDone({ obstacle }: Decision): Acted {
  return { situation: obstacle ?? { kind: 'Driven' }, happened: [], isLost: false }
}

/** From now on the ends of its jobs are read, and ask for another look. */
export function followEnds({ engine, tracking, installation }: TaskExecutionDeps, key: string, memory: Memory): void {
  const { run, doneQueue } = namesOf(installation, key)
  const lease = engine.leaseAt(brokerKeyOf(memory))
  if (lease.kind === 'Held') tracking.track({ owner: run, doneQueue, endpoint: lease.endpoint })
}

function situationOf(
  { situation, isWaiting }: Driven<RunHappening, RunLost>,
  { record }: Memory,
  { obstacle }: Decision,
): Acted['situation'] {
  if (situation.kind === 'Lost') return { kind: 'Hopeless', message: lostWords }
  // There is no log, and none can begin now.
  if (isWaiting === true && record?.length === 0 && obstacle !== undefined) return obstacle
  return situation
}

export const lostWords =
  'the broker lost the log of this run, or a part of it (it was restored from an older state, or does not persist): it is unknown ' +
  'what its jobs did, and nothing starts again. Next: check the persistence of the broker, and create another TaskExecution'

/** The run is gone: what it began is taken back, and its log goes; what cannot be removed now is orphaned data. */
export async function remove(deps: TaskExecutionDeps, key: string, memory: Memory, context: Context): Promise<Removal<RunHappening>> {
  // Once deletion has started, only deletion continues, whatever comes under the name.
  const kindAt = (site: Site) => kindOf(deps, key, memory, site, { desired: 'Deleted' })
  return deps.engine.remove(memory, brokerKeyOf(memory), kindAt, context)
}

type Wish = Pick<RunVisit, 'desired' | 'begin' | 'owner' | 'isWanted'>

function kindOf(deps: TaskExecutionDeps, key: string, memory: Memory, site: Site, wish: Wish) {
  const names = namesOf(deps.installation, key)
  const { dependency, jobs, runs } = memory
  return createRunKind(deps, {
    ...site,
    ...names,
    ...wish,
    memory,
    marker: markerOf(deps, memory),
    subjects: dependency === undefined ? [] : [{ subjectKind: 'TaskDependency', subject: dependency }],
    pendingCompletions: () => deps.tracking.ended(names.run),
    whereabouts: () => deps.whereabouts.of(names.run),
    jobs,
    runs,
  })
}

function markerOf({ cluster }: TaskExecutionDeps, { execution: { metadata } }: Memory): OwnerMarker {
  const { namespace = '', name } = metadata
  return { v: 1, cluster, kind: 'TaskExecution', namespace, name, deletionPolicy: 'Delete' }
}

/** Deletes the object once `ttlSecondsAfterFinished` is over; what it left in the broker goes with the deletion. */
export async function expire(
  deps: TaskExecutionDeps,
  execution: TaskExecution,
  finishTime: string | undefined,
  { signal }: Context,
): Promise<{ requeueAfterMs?: number }> {
  const { client, clock, reachPoint } = deps
  const { ttlSecondsAfterFinished } = execution.spec
  if (ttlSecondsAfterFinished === undefined || finishTime === undefined || isAwaited(deps, execution)) return {}
  const leftMs = Date.parse(finishTime) + ttlSecondsAfterFinished * 1000 - clock.now()
  if (leftMs > 0) return { requeueAfterMs: leftMs }
  const { namespace, name, uid } = execution.metadata
  reachPoint('before expire')
  try {
    await client.delete(taskExecutions, namespace, name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
  }
  reachPoint('after expire')
  return {}
}
