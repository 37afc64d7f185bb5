import { type Deployment, deployments, keysOf, siblingKey, type TaskBroker, type WorkerPool, workerPools } from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { poolsOf } from './deployment.ts'
import { type WorkerPoolSources, workerPoolWatches } from './watches.ts'
import { createWorkerPoolController, type WorkerPoolDeps } from './controller.ts'

const pools: InformerDeclaration<WorkerPool, 'byBroker'> = {
  resource: workerPools,
  indexes: { byBroker: (pool) => [siblingKey(pool, pool.spec.brokerRef.name)] },
}

/** A target carries the label while a pool scales it. */
const labelled: InformerDeclaration<Deployment> = { resource: deployments, labelSelector: labels.pool }

type Caches = {
  readonly pools: Informer<WorkerPool, 'byBroker'>
  readonly deployments: Informer<Deployment>
  readonly taskBrokers: Informer<TaskBroker>
}
type Deps = Omit<WorkerPoolDeps, keyof Caches> & Omit<WorkerPoolSources, 'caches'> & { readonly caches: Caches }

export const workerPoolKind = {
  name: 'worker-pool',
  caches: { pools, deployments: labelled },
  // A Deployment that a pool left while no operator ran still names the pool.
  keys: ({ caches }) => new Set([...keysOf(caches.pools.list()), ...caches.deployments.list().flatMap((object) => poolsOf(object))]),
  watches: workerPoolWatches,
  create: ({ caches, ...deps }) =>
    createWorkerPoolController({ ...deps, pools: caches.pools, taskBrokers: caches.taskBrokers, deployments: caches.deployments }),
} satisfies Kind<Deps>
