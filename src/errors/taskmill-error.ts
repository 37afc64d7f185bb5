/** The registry: each code with the sentence that the reference shows. A code is never renamed or reused. */
export const errorCodes = {
  TM_KUBE_NOT_FOUND: 'The API server does not know the object or the resource.',
  TM_KUBE_CONFLICT: 'Another client changed the object since it was read, or owns one of the fields. Normal: the operator reads again.',
  TM_KUBE_ALREADY_EXISTS: 'An object of this name exists.',
  TM_KUBE_GONE: 'The resource version is too old for the API server; the list must be read again.',
  TM_KUBE_INVALID: 'The API server refused the content of the object; the details name the fields.',
  TM_KUBE_FORBIDDEN: 'The credentials are valid but not allowed to do this.',
  TM_KUBE_UNAUTHORIZED: 'The API server does not accept the credentials.',
  TM_KUBE_TOO_MANY_REQUESTS: 'The API server asked to slow down, and retries were refused as well.',
  TM_KUBE_UNAVAILABLE: 'The API server cannot be reached, failed, or did not answer in time.',
  TM_KUBE_BAD_RESPONSE: 'The answer does not come from a Kubernetes API server.',
  TM_KUBE_CONFIG_INVALID: 'There is no usable configuration to reach a cluster.',
  TM_BROKER_UNREACHABLE: 'Redis cannot be reached or did not answer in time.',
  TM_BROKER_UNAUTHORIZED: 'Redis does not accept the user name or password, requires one, or does not allow the user a needed command.',
  TM_BROKER_COMMAND_FAILED: 'Redis answered a command or a script with an error.',
  TM_LEDGER_UNREADABLE: 'The ledger of a schedule is damaged, or a later version of Taskmill wrote it.',
  TM_EXPRESSION_INVALID: 'A CEL expression does not compile: its syntax, a name, or a type is wrong.',
  TM_EXPRESSION_FAILED: 'A CEL expression failed on the values that it got.',
  TM_EXPRESSION_TOO_COSTLY: 'A CEL expression, its input or its result is larger than allowed.',
  TM_CONFIG_INVALID: 'A setting of the process (environment, flag, file) is missing or wrong.',
  TM_TASKS_INVALID: 'The module with the task handlers cannot be loaded or lacks an export that it needs.',
  TM_LEASE_LOST: 'This process was the leader and could not renew its lease in time, or another process holds the lease.',
  TM_CACHE_SYNC_TIMEOUT: 'The objects of a kind could not be listed in time at start.',
  TM_RECONCILE_TIMEOUT: 'One reconciliation exceeded its time limit.',
  TM_RECONCILE_TERMINAL: 'A reconciliation failed in a way that a retry cannot change; the operator waits for a change of the object.',
  TM_NOTIFICATION_TIMEOUT: 'The receiver of a notification did not answer in time.',
  TM_SHUTDOWN_TIMEOUT: 'A part of the process did not stop within its grace period.',
} as const

/** One of the registered codes. */
export type ErrorCode = keyof typeof errorCodes

/** Facts for logs and for code that reacts: plain data, no secrets. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** An error with a stable code. Made by `taskmillError`. */
export class TaskmillError extends Error {
  override readonly name = 'TaskmillError'
  /** What went wrong, for programs. */
  readonly code: ErrorCode
  /** Facts beside the message; empty when there are none. */
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.details = options.details ?? {}
  }
}

/** Creates an error. Always pass the `cause` if there is one. */
export function taskmillError(code: ErrorCode, message: string, options?: { cause?: unknown; details?: ErrorDetails }): TaskmillError {
  return new TaskmillError(code, message, options)
}

/** Whether the error is a `TaskmillError` with one of these codes. Checks the error itself, not its causes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is TaskmillError {
  return error instanceof TaskmillError && codes.includes(error.code)
}

const maxDepth = 4

/** An `AggregateError` has no message of its own. Node throws one if none of several addresses can be reached. */
function ownMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.length > 0 ? ownMessage(error.errors[0]) : 'several errors'
  if (error instanceof Error) return error.message || error.name
  if (typeof error === 'string') return error
  return `a value that is not an error was thrown (${error === null ? 'null' : typeof error})`
}

/** Returns one line for users: the message and those of its causes, without repetitions. Accepts any thrown value. */
export function errorMessage(error: unknown): string {
  if (error === undefined) return 'undefined was thrown'
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; at !== undefined && depth < maxDepth; at = at instanceof Error ? at.cause : undefined, depth++) {
    const message = ownMessage(at)
    if (!parts.some((part) => part.includes(message))) parts.push(message)
  }
  return parts.join(': ').replace(/\s*\n\s*/g, ' ')
}
