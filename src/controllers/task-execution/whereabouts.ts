/** Where the jobs of active nodes are, in words: in a queue, with a worker, or as a Kubernetes Job. Pure. */
import type { TaskQueue, WorkerPool } from '../../api/index.ts'
import type { PlacedRef, PlacedState } from '../../broker/index.ts'
import { nodeJobId } from '../../contract/index.ts'
import { type NodeView, viewNodes, type Run } from '../../graph/index.ts'
import type { JobProgress, JobsProgress } from '../../services/runs/index.ts'
import { describeWhereabout, queueFactsOf, type Whereabout } from '../../services/tracking/index.ts'

/** A node whose job is in a queue or with a worker. */
export type PlacedNode = PlacedRef & { readonly node: string; readonly startedAtMs: number }

/** Only so many are looked for, in two calls to the broker. */
const mostNodes = 100

export function placedNodes({ state, active, begun }: Run, run: string, doneQueue: string): readonly PlacedNode[] {
  const placed: PlacedNode[] = []
  for (const index of active) {
    const spec = state?.graph.nodes[index]?.spec
    const queue = spec?.task?.queue
    if (queue !== undefined)
      placed.push({
        node: spec?.name ?? '',
        id: nodeJobId(run, begun?.token ?? '', spec?.name ?? ''),
        doneQueue,
        queue,
        startedAtMs: state?.node(index).startedAtMs ?? 0,
      })
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
  nowMs: number,
): ReadonlyMap<string, Whereabout> {
  const entries = placed.flatMap(({ node, id, queue, startedAtMs }) => {
    const job = found.get(id)
    const where = job === undefined ? undefined : describeWhereabout(job, queue, queueFactsOf(queue, pools, queues), nowMs - startedAtMs)
    return where === undefined ? [] : [[node, where] as const]
  })
  return new Map(entries)
}

/**
 * Nodes that have begun and of which nothing is known now: their jobs were not looked for yet, or the broker or the API server did not answer.
 * What was said of them stays.
 */
export function notLookedAt(placed: readonly PlacedNode[], found: ReadonlyMap<string, PlacedState>, progress: JobsProgress): Set<string> {
  const queued = placed.flatMap(({ node, id }) => (found.has(id) ? [] : [node]))
  return new Set([...queued, ...progress.jobs.flatMap(({ node, isUnknown }) => (isUnknown === true ? [node] : []))])
}

/** By node: Jobs that are there, and Jobs that the API server does not accept yet. */
export function jobWhereabouts(run: Run, progress: JobsProgress): ReadonlyMap<string, Whereabout> {
  const postponed = run.postponed.size === 0 ? [] : viewNodes(run).flatMap((node) => postponedOf(run, node))
  return new Map([...progress.jobs.map((each) => [each.node, jobWhereabout(each)] as const), ...postponed])
}

function postponedOf({ state }: Run, { name, postponed }: NodeView): readonly (readonly [string, Whereabout])[] {
  if (postponed === undefined) return []
  const effect = state?.graph.nodes[state.graph.indexOf.get(name) ?? -1]?.spec.run === undefined ? 'its Job' : 'its TaskExecution'
  const words = `not created (${postponed.tries} ${postponed.tries === 1 ? 'try' : 'tries'})`
  const { message } = postponed
  const where: Whereabout = postponed.isRefused
    ? { words, blocked: 'CreationRefused', detail: `the API server refuses ${effect} for now, and the operator retries: ${message}` }
    : { words, detail: `${effect} is not created yet, and the operator retries: ${message}` }
  return [[name, where]]
}

function jobWhereabout({ job, isUp, words, reason, blocked, warnings }: JobProgress): Whereabout {
  const warned = warnings.length === 0 ? '' : `. The API server warns: ${warnings.join('; ')}`
  if (words !== undefined) {
    const short = reason === undefined ? 'failing' : `failing (${reason})`
    return { words: short, blocked, detail: `Job "${job}": ${words}${warned}` }
  }
  return { words: isUp ? 'running' : 'starting', detail: `Job "${job}" is ${isUp ? 'running' : 'starting'}${warned}` }
}
