import {
  type CronJob,
  cronJobs as cronJobResource,
  keysOf,
  siblingKey,
  type TaskDependency,
  type TaskExecution,
  type TaskQueue,
  type TaskSchedule,
  taskSchedules,
  type WorkerPool,
} from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { createTaskScheduleController } from './controller.ts'
import type { TaskScheduleDeps } from './gather.ts'
import { groupKeyOf } from './group.ts'
import { type TaskScheduleSources, taskScheduleWatches } from './watches.ts'

const schedules: InformerDeclaration<TaskSchedule, 'byBroker' | 'byDependency' | 'byGroup'> = {
  resource: taskSchedules,
  indexes: {
    byBroker: (schedule) => [siblingKey(schedule, schedule.spec.brokerRef.name)],
    byDependency: (schedule) => {
      const { dependencyRef } = schedule.spec
      return dependencyRef === undefined ? [] : [siblingKey(schedule, dependencyRef.name)]
    },
    byGroup: (schedule) => [groupKeyOf(schedule)].flatMap((group) => group ?? []),
  },
}

/** Those that Taskmill has created. */
const cronJobs: InformerDeclaration<CronJob> = { resource: cronJobResource, labelSelector: labels.startedBy }

type Caches = {
  readonly schedules: Informer<TaskSchedule, 'byBroker' | 'byDependency' | 'byGroup'>
  readonly dependencies: Informer<TaskDependency>
  readonly executions: Informer<TaskExecution, 'byUnrecordedSlot' | 'bySchedule'>
  readonly pools: Informer<WorkerPool, 'byBroker'>
  readonly queues: Informer<TaskQueue, 'byBroker'>
  readonly cronJobs: Informer<CronJob>
}
type Deps = Omit<TaskScheduleDeps, keyof Caches> &
  Omit<TaskScheduleSources, 'caches'> & { readonly caches: Caches & TaskScheduleSources['caches'] }

export const taskScheduleKind = {
  name: 'task-schedule',
  caches: { schedules, cronJobs },
  keys: ({ caches }) => keysOf(caches.schedules.list()),
  watches: taskScheduleWatches,
  // Many slots are due in the same second. Side by side, their steps share packets, and every slot's intent and job come before any slot's rest.
  atOnce: 256,
  create: ({ caches: { schedules: own, dependencies, executions, pools, queues, cronJobs: primitives }, ...deps }) =>
    createTaskScheduleController({ ...deps, schedules: own, dependencies, executions, pools, queues, cronJobs: primitives }),
} satisfies Kind<Deps>
