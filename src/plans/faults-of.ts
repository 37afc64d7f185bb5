import { type KubeObject, runSourceOf, type TaskAlert, type TaskDependency, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import type { Fault, Understood } from './fault.ts'
import { understandDependency, understandExecution } from './run.ts'
import { understandAlert } from './task-alert.ts'
import { understandSchedule } from './task-schedule.ts'

/** By kind, which says what type the object has. */
const understanding: Readonly<Record<string, (object: never) => Understood<object>>> = {
  TaskAlert: (alert: TaskAlert) => understandAlert(alert),
  TaskSchedule: (schedule: TaskSchedule) => understandSchedule(schedule),
  TaskDependency: (dependency: TaskDependency) => understandDependency(dependency),
  TaskExecution: ownTemplate,
}

/** What an execution refers to is another object, which is judged by itself. */
function ownTemplate(execution: TaskExecution): Understood<object> {
  switch (runSourceOf(execution.spec).kind) {
    case 'task':
    case 'job':
      return understandExecution(execution, {})
    case 'scheduleRef':
    case 'dependencyRef':
      return { ok: true }
  }
}

/** Returns all faults of an object that its schema admits; none for a kind without an `understand…` function. */
export function findFaults(object: KubeObject): readonly Fault[] {
  const understood = understanding[object.kind]?.(object as never)
  return understood === undefined || understood.ok ? [] : understood.faults
}
