import type { Kind } from './kind.ts'
import { taskBroker } from './task-broker.ts'
import { taskSchedule } from './task-schedule.ts'
import { workerPool } from './worker-pool.ts'

/** Every kind, in the order in which people meet them. */
export const kinds: readonly Kind[] = [taskBroker, workerPool, taskSchedule]
