/** Where a job in a queue is, in words, and what keeps it from running as far as the objects of its namespace show. Pure. */
import { type BlockedReason, findCondition, type TaskQueue, type WorkerPool } from '../../api/index.ts'
import type { PlacedState } from '../../broker/index.ts'

/** Where the effect of a node or slot is: few words for a column, more for a table or a condition. */
export type Whereabout = {
  readonly words: string
  readonly detail: string
  /** It does not continue until a user acts. */
  readonly blocked?: BlockedReason | undefined
}

/** What the namespace says of a queue. */
export type QueueFacts = {
  /** The TaskQueue that pauses it. */
  readonly suspendedBy?: string | undefined
  /** The pools of the namespace that consume it; `trouble` is the reason of one that is not Ready. */
  readonly pools: readonly { readonly name: string; readonly trouble?: string | undefined }[]
}

/** `pools` and `queues` are those of one TaskBroker. */
export function queueFactsOf(queue: string, pools: readonly WorkerPool[], queues: readonly TaskQueue[]): QueueFacts {
  return {
    suspendedBy: queues.find(({ spec, status }) => spec.queueName === queue && isPaused(status?.suspended))?.metadata.name,
    pools: pools
      .filter(({ spec }) => spec.queues.some(({ name }) => name === queue))
      .map(({ metadata, status }) => ({ name: metadata.name, trouble: troubleOf(status) })),
  }
}

function isPaused(suspended: string | undefined): boolean {
  return suspended !== undefined && suspended !== 'No'
}

/** Why a pool does not work: it is not Ready and has no pod that is, or has no pods because people wanted none. */
function troubleOf(status: WorkerPool['status']): string | undefined {
  const ready = findCondition(status?.conditions, 'Ready')
  // A pool whose new template is refused works on with the former one.
  if (ready?.status === 'False') return (status?.readyReplicas ?? 0) > 0 && ready.reason.startsWith('Template') ? undefined : ready.reason
  const scaling = findCondition(status?.conditions, 'ScalingActive')
  return ready?.reason === 'ScaledToZero' && scaling?.status === 'False' ? scaling.reason : undefined
}

/** A pool starts in this time, and workers that Taskmill does not know may come. */
const patienceMs = 60_000

/** `waitedMs`: since it was placed. Undefined: it is neither in its queue nor with a worker. */
export function describeWhereabout(
  job: Pick<PlacedState, 'state' | 'startedAtMs' | 'isPaused'>,
  queue: string,
  { suspendedBy, pools }: QueueFacts,
  waitedMs: number,
): Whereabout | undefined {
  if (job.state === 'Active') return { words: 'running', detail: 'a worker runs it' }
  if (job.state !== 'Waiting') return undefined
  const queued = job.startedAtMs === undefined ? `queued in ${queue}` : `retrying in ${queue}`
  if (suspendedBy !== undefined) {
    const detail = `${queued}, which is suspended. Next: kubectl describe tq ${suspendedBy}`
    return { words: `${queued} (suspended)`, detail, blocked: 'QueueSuspended' }
  }
  if (job.isPaused === true) {
    const detail = `${queued}, which someone paused by other means. Next: resume it where it was paused`
    return { words: `${queued} (paused)`, detail, blocked: 'QueuePaused' }
  }
  const isLong = waitedMs >= patienceMs
  if (pools.length === 0) {
    const detail = `${queued}; no WorkerPool of this namespace consumes it. Next: create one, unless other workers do`
    return { words: `${queued} (no pool)`, detail, ...(isLong && { blocked: 'NoPool' }) }
  }
  const [troubled] = pools
  if (troubled?.trouble === undefined || pools.some(({ trouble }) => trouble === undefined)) return { words: queued, detail: queued }
  const detail = `${queued}; pool "${troubled.name}": ${troubled.trouble}. Next: kubectl describe wp ${troubled.name}`
  return { words: `${queued} (pool ${troubled.name}: ${troubled.trouble})`, detail, ...(isLong && { blocked: 'PoolNotReady' }) }
}
