import { keysOf, type TaskBroker, taskBrokers, type WorkerPool } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { createTaskBrokerController, type TaskBrokerDeps } from './controller.ts'
import { taskBrokerWatches } from './watches.ts'

const declaration: InformerDeclaration<TaskBroker> = { resource: taskBrokers }

type Caches = {
  readonly taskBrokers: Informer<TaskBroker>
  readonly pools: Pick<Informer<WorkerPool, 'byBroker'>, 'byIndex'>
}
type Deps = Omit<TaskBrokerDeps, 'taskBrokers' | 'queuesOf'> & { readonly caches: Caches }

export const taskBrokerKind = {
  name: 'task-broker',
  caches: { taskBrokers: declaration },
  keys: ({ caches }) => keysOf(caches.taskBrokers.list()),
  watches: taskBrokerWatches,
  create: ({ caches, ...deps }) =>
    createTaskBrokerController({
      ...deps,
      taskBrokers: caches.taskBrokers,
      queuesOf: (broker) => caches.pools.byIndex('byBroker', broker).flatMap(({ spec }) => spec.queues.map(({ name }) => name)),
    }),
} satisfies Kind<Deps>
