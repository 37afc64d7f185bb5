/** Where the jobs of active nodes are, in words: in a queue, with a worker, or as a Kubernetes Job. Pure. */
import { findCondition, type TaskQueue, type WorkerPool } from '../../api/index.ts'
import type { PlacedRef, PlacedState } from '../../broker/index.ts'
import { nodeJobId } from '../../contract/index.ts'
import { type NodeView, viewNodes, type Run } from '../../graph/index.ts'
import type { JobProgress, JobsProgress } from '../../services/runs/index.ts'

/** Where the effect of a node is: few words for a column, more for the table of nodes. */
export type Whereabout = {
  readonly words: string
  readonly detail: string
  /** The node does not continue until a user acts: the condition says so too. */
  readonly isStuck?: boolean
}

/** A node whose job is in a queue or with a worker. */
export type PlacedNode = PlacedRef & { readonly node: string }

/** Only so many are looked for: a column and a table of nodes have no room for more. */
const mostNodes = 10

export function placedNodes({ state, active, begun }: Run, run: string, doneQueue: string): readonly PlacedNode[] {
  const placed: PlacedNode[] = []
  for (const index of active) {
    const spec = state?.graph.nodes[index]?.spec
    const queue = spec?.task?.queue
    if (queue !== undefined)
      placed.push({ node: spec?.name ?? '', id: nodeJobId(run, begun?.token ?? '', spec?.name ?? ''), doneQueue, queue })
    if (placed.length === mostNodes) break
  }
  return placed
}

/** By node; `pools` and `queues` are those of the run's TaskBroker. */
export function whereaboutsOf(
  placed: readonly PlacedNode[],
  found: ReadonlyMap<string, PlacedState>,
  pools: readonly WorkerPool[],
  queues: readonly TaskQueue[],
): ReadonlyMap<string, Whereabout> {
  const factsOf = (queue: string) => ({
    suspendedBy: queues.find(({ spec, status }) => spec.queueName === queue && isPaused(status?.suspended))?.metadata.name,
    pools: pools
      .filter(({ spec }) => spec.queues.some(({ name }) => name === queue))
      .map(({ metadata, status }) => ({ name: metadata.name, trouble: troubleOf(status) })),
  })
  const entries = placed.flatMap(({ node, id, queue }) => {
    const job = found.get(id)
    const where = job === undefined ? undefined : whereaboutOf(job, queue, factsOf(queue))
    return where === undefined ? [] : [[node, where] as const]
  })
  return new Map(entries)
}

function isPaused(suspended: string | undefined): boolean {
  return suspended !== undefined && suspended !== 'No'
}

/** Why a pool does not work: it is not Ready, or has no pods because people wanted none. */
function troubleOf(status: WorkerPool['status']): string | undefined {
  const ready = findCondition(status?.conditions, 'Ready')
  if (ready?.status === 'False') return ready.reason
  const scaling = findCondition(status?.conditions, 'ScalingActive')
  return ready?.reason === 'ScaledToZero' && scaling?.status === 'False' ? scaling.reason : undefined
}

/** What the namespace says of a queue. */
export type QueueFacts = {
  /** The TaskQueue that pauses it. */
  readonly suspendedBy?: string | undefined
  /** The pools of the namespace that consume it; `trouble` is the reason of one that is not Ready. */
  readonly pools: readonly { readonly name: string; readonly trouble?: string | undefined }[]
}

/** Where a job is, and what prevents it from running, as far as the objects of this namespace show. */
export function whereaboutOf(
  job: Pick<PlacedState, 'state' | 'startedAtMs' | 'isPaused'>,
  queue: string,
  { suspendedBy, pools }: QueueFacts,
): Whereabout | undefined {
  if (job.state === 'Active') return { words: 'running', detail: 'a worker runs it' }
  if (job.state !== 'Waiting') return undefined
  const queued = job.startedAtMs === undefined ? `queued in ${queue}` : `retrying in ${queue}`
  if (suspendedBy !== undefined) {
    return { words: `${queued} (suspended)`, detail: `${queued}, which is suspended. Next: kubectl describe tq ${suspendedBy}` }
  }
  if (job.isPaused === true) {
    return { words: `${queued} (paused)`, detail: `${queued}, which someone paused by other means. Next: resume it where it was paused` }
  }
  if (pools.length === 0) {
    const detail = `${queued}; no WorkerPool of this namespace consumes it. Next: create one, unless other workers do`
    return { words: `${queued} (no pool)`, detail }
  }
  const [troubled] = pools
  if (troubled?.trouble === undefined || pools.some(({ trouble }) => trouble === undefined)) return { words: queued, detail: queued }
  const detail = `${queued}; pool "${troubled.name}": ${troubled.trouble}. Next: kubectl describe wp ${troubled.name}`
  return { words: `${queued} (pool ${troubled.name}: ${troubled.trouble})`, detail }
}

/** By node: Jobs that are there, and Jobs that the API server does not accept yet. */
export function jobWhereabouts(run: Run, progress: JobsProgress): ReadonlyMap<string, Whereabout> {
  const postponed = run.postponed.size === 0 ? [] : viewNodes(run).flatMap(postponedOf)
  return new Map([...progress.jobs.map((each) => [each.node, jobWhereabout(each)] as const), ...postponed])
}

function postponedOf({ name, postponed }: NodeView): readonly (readonly [string, Whereabout])[] {
  if (postponed === undefined) return []
  const words = `not created (${postponed.tries} ${postponed.tries === 1 ? 'try' : 'tries'})`
  return [
    [name, { words, isStuck: true, detail: `the API server refuses its Job for now, and the operator retries: ${postponed.message}` }],
  ]
}

function jobWhereabout({ job, isUp, words, reason, warnings }: JobProgress): Whereabout {
  const warned = warnings.length === 0 ? '' : `. The API server warns: ${warnings.join('; ')}`
  if (words !== undefined) {
    const short = reason === undefined ? 'failing' : `failing (${reason})`
    return { words: short, isStuck: true, detail: `Job "${job}": ${words}${warned}` }
  }
  return { words: isUp ? 'running' : 'starting', detail: `Job "${job}" is ${isUp ? 'running' : 'starting'}${warned}` }
}
