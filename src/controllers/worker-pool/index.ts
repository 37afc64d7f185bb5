/**
 * The WorkerPool controller: keeps one Deployment per pool, its replicas following what is in the pool's queues.
 *
 * Data goes one way: gather (caches, signals, memory) -> decide (pure) -> act (Deployment, replicas) -> status and Events. A pool is
 * reconciled when it, its Deployment, its TaskBroker or the jobs in its queues change, or when a moment comes that the last decision
 * named. It writes nothing while nothing changes. It does not look at pods and never deletes: a Deployment goes with its pool by owner
 * reference.
 */
export { createWorkerPoolController, type WorkerPoolDeps } from './worker-pool.ts'
