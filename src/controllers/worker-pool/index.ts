/**
 * The WorkerPool controller: keeps one Deployment per pool, or the replicas of one that exists, following what is in the pool's queues.
 *
 * Data goes one way: gather (caches, signals, memory) -> decide (pure) -> act (Deployment, replicas) -> status and Events. A pool is
 * reconciled when it, its Deployment, its TaskBroker or the jobs in its queues change, or when a moment comes that the last decision
 * named. It writes nothing while nothing changes. It looks at pods only while a Deployment is not as it should be, and never deletes: a
 * Deployment goes with its pool by owner reference, and a target keeps its replicas.
 */
export { workerPoolKind } from './kind.ts'
