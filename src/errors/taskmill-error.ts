import type { ErrorCode } from './codes.ts'

/** Facts beside the message, for logs and for code that reacts: plain data, no secrets. */
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

/** Makes an error; always pass the `cause` when there is one. */
export function taskmillError(code: ErrorCode, message: string, options?: { cause?: unknown; details?: ErrorDetails }): TaskmillError {
  return new TaskmillError(code, message, options)
}

/** Whether that is a `TaskmillError` with one of these codes. Looks at the error itself, not at its causes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is TaskmillError {
  return error instanceof TaskmillError && codes.includes(error.code)
}
