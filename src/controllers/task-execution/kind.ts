import {
  dependencyKeyOf,
  keysOf,
  siblingKey,
  type TaskDependency,
  type TaskExecution,
  taskExecutions,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import { isRecorded, parseSlotRun } from '../../plans/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { starterOfRun } from '../../services/runs/index.ts'
import { createTaskExecutionController } from './controller.ts'
import type { TaskExecutionDeps } from './gather.ts'
import { type TaskExecutionSources, taskExecutionWatches } from './watches.ts'

type Index = 'byDependency' | 'bySchedule' | 'byBroker' | 'byUnrecordedSlot' | 'byStarter'

const executions: InformerDeclaration<TaskExecution, Index> = {
  resource: taskExecutions,
  indexes: {
    byDependency: (run) => {
      const dependency = dependencyKeyOf(run)
      return dependency === undefined ? [] : [dependency]
    },
    bySchedule: (run) => (run.spec.scheduleRef === undefined ? [] : [siblingKey(run, run.spec.scheduleRef.name)]),
    /** Runs of a schedule's slots whose ends the schedule has not recorded yet. */
    byUnrecordedSlot: (run) => {
      const slot = isRecorded(run) ? undefined : parseSlotRun(run)
      return slot === undefined ? [] : [siblingKey(run, slot.schedule)]
    },
    /** Runs that are nodes of another one. */
    byStarter: (run) => {
      const starter = starterOfRun(run)
      return starter === undefined ? [] : [siblingKey(run, starter)]
    },
    // While the schedule or graph of a run is not known, neither is its broker: the run is reconciled when that comes.
    byBroker: (run) => [siblingKey(run, run.status?.broker ?? run.spec.brokerRef?.name ?? 'default')],
  },
}

type Caches = {
  readonly executions: Informer<TaskExecution, Index>
  readonly schedules: Informer<TaskSchedule>
  readonly dependencies: Informer<TaskDependency>
  readonly pools: Informer<WorkerPool, 'byBroker'>
  readonly queues: Informer<TaskQueue, 'byBroker'>
}
type Deps = Omit<TaskExecutionDeps, keyof Caches> &
  Omit<TaskExecutionSources, 'caches'> & { readonly caches: Caches & TaskExecutionSources['caches'] }

export const taskExecutionKind = {
  name: 'task-execution',
  caches: { executions },
  keys: ({ caches }) => keysOf(caches.executions.list()),
  watches: taskExecutionWatches,
  create: ({ caches: { executions: own, schedules, dependencies, pools, queues }, ...deps }) =>
    createTaskExecutionController({ ...deps, executions: own, schedules, dependencies, pools, queues }),
} satisfies Kind<Deps>
