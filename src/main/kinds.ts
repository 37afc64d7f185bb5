/** Every kind of object that the operator reconciles, in the order in which their controllers start. Adding a kind adds a line here. */
import { alertChannelKind } from '../controllers/alert-channel/index.ts'
import { alertingKind, taskAlertKind } from '../controllers/task-alert/index.ts'
import { taskBrokerKind } from '../controllers/task-broker/index.ts'
import { taskDependencyKind } from '../controllers/task-dependency/index.ts'
import { taskExecutionKind } from '../controllers/task-execution/index.ts'
import { taskQueueKind } from '../controllers/task-queue/index.ts'
import { taskScheduleKind } from '../controllers/task-schedule/index.ts'
import { workerPoolKind } from '../controllers/worker-pool/index.ts'

export const kinds = [
  taskBrokerKind,
  workerPoolKind,
  taskDependencyKind,
  taskScheduleKind,
  taskExecutionKind,
  taskQueueKind,
  taskAlertKind,
  alertingKind,
  alertChannelKind,
] as const
