import { isTerminating, taskQueues } from '../../api/index.ts'
import { parseOwner, queueOwner, type OwnerMarker } from '../../contract/index.ts'
import type { Driven, Removal, Site } from '../../services/engine/index.ts'
import { createSettingsKind, type SettingsHappening, type SettingsStop, type SettingsWish } from '../../services/queue-settings/index.ts'
import { brokerKeyOf, type Context, type Gathered, type Memory, type QueueSituation, type TaskQueueDeps } from './gather.ts'

/** What has become of a look: the situation, when to look again, and what was done to the queue. */
export type Acted = {
  readonly situation: QueueSituation | { readonly kind: 'Failed'; readonly error: unknown }
  readonly againAfterMs?: number | undefined
  readonly happened: readonly SettingsHappening[]
}

/** Makes the settings hold and removes old jobs, as far as the dispatch lease allows it. */
export async function act(deps: TaskQueueDeps, key: string, memory: Memory, gathered: Gathered, context: Context): Promise<Acted> {
  const wish = wishOf(deps, gathered, context)
  const isWanted = () => isThere(deps, key)
  const kindAt = (site: Site) => kindOf(deps, key, memory, site, wish, isWanted)
  const driven = await deps.engine.drive(memory, brokerKeyOf(memory.queue), kindAt, context)
  return { ...driven, situation: situationOf(driven, memory, gathered) }
}

function wishOf(
  { client, queues, installation }: TaskQueueDeps,
  { queue, suspension, reading }: Gathered,
  { signal }: Context,
): SettingsWish {
  const { maxConcurrency, retention } = queue.spec
  return {
    kind: 'Applied',
    settings: { suspend: suspension.isSuspended, ...(maxConcurrency === undefined ? {} : { maxConcurrency }) },
    retention,
    uid: queue.metadata.uid,
    createdAtMs: Date.parse(queue.metadata.creationTimestamp ?? '') || 0,
    reading,
    // The cache may be behind, and shows only the namespaces that this operator watches.
    async isOwnerGone(owner) {
      const { kind, namespace, name } = parseOwner(owner)
      const isOurs = kind === 'TaskQueue' && owner.startsWith(`${installation}/`)
      if (!isOurs || queues.get(`${namespace}/${name}`) !== undefined) return false
      try {
        // By a list: the operator may not get a single one.
        const { items } = await client.list(taskQueues, { namespace, fieldSelector: `metadata.name=${name}`, signal })
        return items.length === 0
      } catch {
        signal.throwIfAborted()
        return false
      }
    },
  }
}

function situationOf(
  { situation }: Driven<SettingsHappening, SettingsStop>,
  { record }: Memory,
  { failure }: Gathered,
): Acted['situation'] {
  switch (situation.kind) {
    case 'Driven': {
      const answer = record?.applied?.answer
      return answer === undefined ? { kind: 'Pending' } : { kind: 'Applied', paused: answer.paused, pausedByUs: answer.pausedByUs }
    }
    case 'Conflict':
      return { kind: 'Conflict', owner: nameOwner(situation.owner) }
    case 'Pending':
      // That the queue cannot be read says more.
      return failure === undefined ? situation : { kind: 'Unreachable', message: failure }
    default:
      return situation
  }
}

function nameOwner(owner: string): string {
  const { namespace, name } = parseOwner(owner)
  return `TaskQueue "${name}" of namespace "${namespace}"`
}

/** The object is gone: what it applied is taken back; what cannot be now is orphaned data. */
export function remove(deps: TaskQueueDeps, key: string, memory: Memory, context: Context): Promise<Removal<SettingsHappening>> {
  const isWanted = () => !isThere(deps, key)
  const kindAt = (site: Site) => kindOf(deps, key, memory, site, { kind: 'Released' }, isWanted)
  return deps.engine.remove(memory, brokerKeyOf(memory.queue), kindAt, context)
}

/** A TaskQueue whose deletion has begun counts as gone, whoever still holds it. */
function isThere({ queues }: TaskQueueDeps, key: string): boolean {
  const queue = queues.get(key)
  return queue !== undefined && !isTerminating(queue)
}

function kindOf(deps: TaskQueueDeps, key: string, { queue }: Memory, site: Site, wish: SettingsWish, isWanted: () => boolean) {
  const { brokerClock, installation } = deps
  const [namespace = '', name = ''] = key.split('/')
  const owner = queueOwner(installation, namespace, name)
  return createSettingsKind({ ...site, brokerClock, queue: queue.spec.queueName, owner, marker: markerOf(deps, queue), wish, isWanted })
}

function markerOf({ cluster }: TaskQueueDeps, { metadata, spec }: Memory['queue']): OwnerMarker {
  const { name, namespace = '' } = metadata
  return { v: 1, cluster, kind: 'TaskQueue', namespace, name, deletionPolicy: 'Delete', queue: spec.queueName }
}
