import { findCondition, type TaskQueue, type WorkerPool } from '../../api/index.ts'
import type { PlacedRef, PlacedState } from '../../broker/index.ts'
import { nodeJobId } from '../../contract/index.ts'
import type { Run } from '../../graph/index.ts'
import { whereaboutOf } from './waiting.ts'
import type { Whereabout } from './world.ts'

/** A node whose job is in a queue, or in a worker's hands. */
export type PlacedNode = PlacedRef & { readonly node: string }

/** Of a run with more of them the others are not looked for: a column and a table of nodes have room for these. */
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
