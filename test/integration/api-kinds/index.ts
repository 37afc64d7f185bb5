/**
 * For each kind the good objects, the bad ones, and what the API server says of them. The tests hold them against the declarations of the
 * kinds: a field that no good object shows, a rule that no bad manifest breaks, a pattern that was never tried do not go unnoticed.
 */
import { alertChannelCase } from './alert-channel.ts'
import { taskAlertCase } from './task-alert.ts'
import { taskBrokerCase } from './task-broker.ts'
import { taskDependencyCase } from './task-dependency.ts'
import { taskExecutionCase } from './task-execution.ts'
import { taskQueueCase } from './task-queue.ts'
import { taskScheduleCase } from './task-schedule.ts'
import { workerPoolCase } from './worker-pool.ts'
import type { KindCase } from './kind-case.ts'

export type { BadManifest, Good, KindCase } from './kind-case.ts'

/** In the order of `kinds`. */
export const kindCases: readonly KindCase[] = [
  taskBrokerCase,
  workerPoolCase,
  taskQueueCase,
  taskScheduleCase,
  taskDependencyCase,
  taskExecutionCase,
  taskAlertCase,
  alertChannelCase,
]
