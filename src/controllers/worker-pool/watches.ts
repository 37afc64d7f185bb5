import { type Deployment, keysOf, type TaskBroker, type WorkerPool } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory } from '../../services/brokers/index.ts'
import type { Signals } from '../../services/signals/index.ts'
import { poolsOf } from './deployment.ts'

export type WorkerPoolSources = {
  readonly caches: {
    readonly pools: Pick<Informer<WorkerPool, 'byBroker'>, 'onChange' | 'byIndex'>
    readonly deployments: Pick<Informer<Deployment>, 'onChange'>
    readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'>
  }
  readonly signals: Pick<Signals, 'changesOf'>
  readonly directory: Pick<BrokerDirectory, 'onChange'>
}

export function workerPoolWatches({ caches, signals, directory }: WorkerPoolSources): readonly Watch[] {
  const ofBroker = (broker: string) => keysOf(caches.pools.byIndex('byBroker', broker))
  return [
    watch('WorkerPools', caches.pools, (key) => [key]),
    // The pool that a Deployment names, and the one that it named before.
    watch('Deployments', caches.deployments, (_, current, previous) => poolsOf(current, previous)),
    watch('queues', signals.changesOf('WorkerPool'), (key) => [key]),
    watchSpecs('TaskBrokers', caches.taskBrokers, ofBroker),
    watch('endpoints', directory, ofBroker),
  ]
}
