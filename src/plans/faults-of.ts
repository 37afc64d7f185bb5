import type { KubeObject, TaskSchedule } from '../api/index.ts'
import type { Fault, Understood } from './fault.ts'
import { understandSchedule } from './task-schedule.ts'

/** By kind, which says what type the object has. */
const understanding: Readonly<Record<string, (object: never) => Understood<object>>> = {
  TaskSchedule: (schedule: TaskSchedule) => understandSchedule(schedule),
}

/** All that is wrong with an object of any kind although its schema admits it; nothing with one that has no more to it. */
export function faultsOf(object: KubeObject): readonly Fault[] {
  const understood = understanding[object.kind]?.(object as never)
  return understood === undefined || understood.ok ? [] : understood.faults
}
