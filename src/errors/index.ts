/**
 * All errors of Taskmill, in one registry. A `TaskmillError` has a stable code (`TM_…`) for programs and users, a
 * message for users, the cause, and details for logs. The edge (a condition, an Event, a REST answer, an exit code)
 * decides by the code, never by the text.
 *
 * What a user of a command has typed wrongly is a `UsageError`.
 *
 * Expected outcomes are data, not errors. A secret never enters a message or the details.
 */
export { errorCodes, errorMessage, hasCode, TaskmillError, taskmillError } from './taskmill-error.ts'
export type { ErrorCode, ErrorDetails } from './taskmill-error.ts'
export { suggestName, findNearest } from './nearest.ts'
export { countOption, UsageError } from './usage.ts'
export {
  classifyRefusal,
  describeFailure,
  describeProblems,
  describeRefusal,
  describeRemedy,
  placeRefusal,
  isFaultOfContent,
  type KubeErrorDetails,
  type Problem,
  type Refusal,
  type RefusalKind,
  type StatusCause,
} from './refusal.ts'
