import type { KubeObject, TaskAlert, TaskDependency, TaskExecution, TaskSchedule } from '../api/index.ts'
import type { Fault, Understood } from './fault.ts'
import { understandDependency, understandExecution } from './run.ts'
import { understandAlert } from './task-alert.ts'
import { understandSchedule } from './task-schedule.ts'

const nothing: Understood<object> = { ok: true }

/** By kind, which says what type the object has. */
const understanding: Readonly<Record<string, (object: never) => Understood<object>>> = {
  TaskAlert: (alert: TaskAlert) => understandAlert(alert),
  TaskSchedule: (schedule: TaskSchedule) => understandSchedule(schedule),
  TaskDependency: (dependency: TaskDependency) => understandDependency(dependency),
  // What it refers to is another object, which is looked at by itself.
  TaskExecution: (execution: TaskExecution) =>
    execution.spec.task === undefined && execution.spec.job === undefined ? nothing : understandExecution(execution, {}),
}

/** All that is wrong with an object of any kind although its schema admits it; nothing with one that has no more to it. */
export function faultsOf(object: KubeObject): readonly Fault[] {
  const understood = understanding[object.kind]?.(object as never)
  return understood === undefined || understood.ok ? [] : understood.faults
}
