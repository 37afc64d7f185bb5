import { keysOf, siblingKey, type TaskQueue, taskQueues } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { createTaskQueueController } from './controller.ts'
import type { TaskQueueDeps } from './gather.ts'
import { type TaskQueueSources, taskQueueWatches } from './watches.ts'

const queues: InformerDeclaration<TaskQueue, 'byBroker' | 'byQueue'> = {
  resource: taskQueues,
  indexes: {
    byBroker: (queue) => [siblingKey(queue, queue.spec.brokerRef.name)],
    byQueue: ({ spec }) => [spec.queueName],
  },
}

type Caches = { readonly queues: Informer<TaskQueue, 'byBroker' | 'byQueue'> }
type Deps = Omit<TaskQueueDeps, keyof Caches> & Omit<TaskQueueSources, 'caches'> & { readonly caches: Caches & TaskQueueSources['caches'] }

export const taskQueueKind = {
  name: 'task-queue',
  caches: { queues },
  keys: ({ caches }) => keysOf(caches.queues.list()),
  watches: taskQueueWatches,
  create: ({ caches, ...deps }) => createTaskQueueController({ ...deps, queues: caches.queues }),
} satisfies Kind<Deps>
