/**
 * Every error of Taskmill, in one registry. A `TaskmillError` carries a stable code (`TM_…`) that programs and people
 * can rely on, a message for people, the cause, and details for logs. The edge (a condition, an Event, an answer of the
 * REST API, an exit code) decides by the code, never by the text of a message.
 *
 * Expected outcomes are data, not errors. A secret never enters a message or the details.
 */
export { errorCodes, errorMessage, hasCode, TaskmillError, taskmillError } from './taskmill-error.ts'
export type { ErrorCode, ErrorDetails } from './taskmill-error.ts'
export { suggestName, findNearest } from './nearest.ts'
