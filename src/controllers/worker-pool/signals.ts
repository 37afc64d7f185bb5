import type { WorkerPool } from '../../api/index.ts'
import type { BrokerState } from '../../services/brokers/index.ts'
import type { QueueSnapshot, Signals } from '../../services/signals/index.ts'
import { currentReplicas, type DeploymentState, type QueueSignals } from './world.ts'

/**
 * Asks for the pool's queues to be read (asking again costs nothing) and returns what is known of them now. A pool at zero replicas
 * says so: its next job has to be seen at once. `broker`: how to get in, as far as is known; undefined when there is none.
 */
export function readSignals(
  signals: Signals,
  key: string,
  world: { readonly pool: WorkerPool; readonly broker: BrokerState | undefined; readonly deployment: DeploymentState },
): QueueSignals {
  const { pool, broker, deployment } = world
  const subscriber = { kind: 'WorkerPool', key }
  if (broker?.kind !== 'Known') {
    signals.unsubscribe(subscriber)
    return broker?.kind === 'Blocked' ? { kind: 'Blocked', message: broker.message } : { kind: 'Pending' }
  }
  const queues = pool.spec.queues.map((queue) => queue.name)
  const watch = currentReplicas(deployment) === 0 ? 'WhenEmpty' : 'Never'
  signals.subscribe({ subscriber, endpoint: broker.endpoint, queues, watch })
  return combine(queues, signals.snapshot(subscriber))
}

function combine(queues: readonly string[], known: ReadonlyMap<string, QueueSnapshot>): QueueSignals {
  const snapshots = queues.map((queue) => known.get(queue))
  const unreadable = snapshots.find((snapshot) => snapshot?.ok === false)
  if (unreadable?.ok === false) return { kind: 'Unreadable', message: unreadable.error.message, sinceMs: unreadable.sinceMs }
  const readings = snapshots.flatMap((snapshot) => (snapshot?.ok === true ? [{ ...snapshot.reading, orphaned: snapshot.orphaned }] : []))
  return readings.length < queues.length ? { kind: 'Pending' } : { kind: 'Read', queues: readings }
}
