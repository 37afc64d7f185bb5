import type { TaskBroker, WorkerPool } from '../../api/index.ts'
import type { QueueSnapshot, Signals } from '../../services/index.ts'
import { currentReplicas, type DeploymentState, type QueueSignals } from './world.ts'

/**
 * Asks for the pool's queues to be read (asking again costs nothing) and returns what is known of them now. A pool at zero replicas
 * says so: its next job has to be seen at once.
 */
export function readSignals(
  signals: Signals,
  key: string,
  world: { readonly pool: WorkerPool; readonly broker: TaskBroker | undefined; readonly deployment: DeploymentState },
  onChange: () => void,
): QueueSignals {
  const { pool, broker, deployment } = world
  if (broker === undefined) {
    signals.unsubscribe(key)
    return { kind: 'Pending' }
  }
  const { standalone, keyPrefix } = broker.spec
  const queues = pool.spec.queues.map((queue) => queue.name)
  const atZero = currentReplicas(deployment) === 0
  signals.subscribe({ key, brokerKey: { address: standalone.address, keyPrefix }, queues, atZero }, onChange)
  return combine(queues, signals.snapshot(key))
}

function combine(queues: readonly string[], known: ReadonlyMap<string, QueueSnapshot>): QueueSignals {
  const snapshots = queues.map((queue) => known.get(queue))
  const unreadable = snapshots.find((snapshot) => snapshot?.ok === false)
  if (unreadable?.ok === false) return { kind: 'Unreadable', message: unreadable.error.message, sinceMs: unreadable.sinceMs }
  const readings = snapshots.flatMap((snapshot) => (snapshot?.ok === true ? [snapshot.reading] : []))
  return readings.length < queues.length ? { kind: 'Pending' } : { kind: 'Read', queues: readings }
}
