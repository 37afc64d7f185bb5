/**
 * TaskExecutions that Taskmill itself creates: for the slots of schedules, and for the nodes of runs. Guarantees: an object is created once, by
 * its name; it is deleted only while it is the one that was read, and has not begun; one that has begun is cancelled as `taskmill cancel` does
 * it. Does not: name the objects, or decide anything.
 */
export {
  createExecutions,
  type ExecutionCreation,
  type ExecutionRef,
  type Executions,
  type ExecutionsDeps,
  hasBegun,
  isGoing,
} from './executions.ts'
