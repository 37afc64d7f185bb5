import type { Kind } from './kind.ts'
import { alertChannel } from './alert-channel.ts'
import { taskAlert } from './task-alert.ts'
import { taskBroker } from './task-broker.ts'
import { taskDependency } from './task-dependency.ts'
import { taskExecution } from './task-execution.ts'
import { taskQueue } from './task-queue.ts'
import { taskSchedule } from './task-schedule.ts'
import { workerPool } from './worker-pool.ts'

/** Every kind, in the order in which people meet them. */
export const kinds: readonly Kind[] = [
  taskBroker,
  workerPool,
  taskQueue,
  taskSchedule,
  taskDependency,
  taskExecution,
  taskAlert,
  alertChannel,
]
