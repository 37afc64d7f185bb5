import { keysOf, siblingKey, type TaskBroker, type TaskQueue, taskQueues } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import type { Sweep } from '../../services/runs/index.ts'
import { createTaskQueueController, type TaskQueueDeps } from './task-queue.ts'
import { type TaskQueueSources, taskQueueWatches } from './watches.ts'

const queues: InformerDeclaration<TaskQueue, 'byBroker' | 'byQueue'> = {
  resource: taskQueues,
  indexes: {
    byBroker: (queue) => [siblingKey(queue, queue.spec.brokerRef.name)],
    byQueue: ({ spec }) => [spec.queueName],
  },
}

type Caches = { readonly queues: Informer<TaskQueue, 'byBroker' | 'byQueue'>; readonly taskBrokers: Informer<TaskBroker> }
type Deps = Omit<TaskQueueDeps, keyof Caches | 'onLeftBehind'> &
  Omit<TaskQueueSources, 'caches'> & { readonly caches: Caches; readonly sweep: Pick<Sweep, 'again'> }

export const taskQueueKind = {
  name: 'task-queue',
  caches: { queues },
  keys: ({ caches }) => keysOf(caches.queues.list()),
  watches: taskQueueWatches,
  create: ({ caches, sweep, ...deps }) =>
    createTaskQueueController({ ...deps, queues: caches.queues, taskBrokers: caches.taskBrokers, onLeftBehind: sweep.again }),
} satisfies Kind<Deps>
