import {
  keysOf,
  siblingKey,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskSchedule,
  taskSchedules,
} from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import type { SlotDriver, Sweep } from '../../services/runs/index.ts'
import { createTaskScheduleController, type TaskScheduleDeps } from './task-schedule.ts'
import { type TaskScheduleSources, taskScheduleWatches } from './watches.ts'

const schedules: InformerDeclaration<TaskSchedule, 'byBroker' | 'byDependency'> = {
  resource: taskSchedules,
  indexes: {
    byBroker: (schedule) => [siblingKey(schedule, schedule.spec.brokerRef.name)],
    byDependency: (schedule) => {
      const { dependencyRef } = schedule.spec
      return dependencyRef === undefined ? [] : [siblingKey(schedule, dependencyRef.name)]
    },
  },
}

type Caches = {
  readonly schedules: Informer<TaskSchedule, 'byBroker' | 'byDependency'>
  readonly dependencies: Informer<TaskDependency>
  readonly executions: Informer<TaskExecution, 'byUnrecordedSlot'>
  readonly taskBrokers: Informer<TaskBroker>
}
type Deps = Omit<TaskScheduleDeps, keyof Caches | 'driver' | 'onLeftBehind'> &
  Omit<TaskScheduleSources, 'caches'> & {
    readonly caches: Caches & TaskScheduleSources['caches']
    readonly slotDriver: SlotDriver
    readonly sweep: Pick<Sweep, 'again'>
  }

export const taskScheduleKind = {
  name: 'task-schedule',
  caches: { schedules },
  keys: ({ caches }) => keysOf(caches.schedules.list()),
  watches: taskScheduleWatches,
  create: ({ caches, slotDriver, sweep, ...deps }) =>
    createTaskScheduleController({
      ...deps,
      schedules: caches.schedules,
      dependencies: caches.dependencies,
      executions: caches.executions,
      taskBrokers: caches.taskBrokers,
      driver: slotDriver,
      onLeftBehind: sweep.again,
    }),
} satisfies Kind<Deps>
