/** What a handler logs goes to the worker's log, together with the job's id, type and queue. */
export type TaskLog = {
  debug(message: string): void
  debug(fields: object, message: string): void
  info(message: string): void
  info(fields: object, message: string): void
  warn(message: string): void
  warn(fields: object, message: string): void
  error(message: string): void
  error(fields: object, message: string): void
}

/** What a handler gets besides the payload. */
export type TaskContext = {
  readonly jobId: string
  /** The task type that was asked for: the job's name. */
  readonly type: string
  readonly queue: string
  /** This attempt, from 1. A run that was interrupted by the end of its pod is not counted as an attempt. */
  readonly attempt: number
  /** How many attempts the job may have; 1 means that it is not repeated. */
  readonly maxAttempts: number
  /**
   * Aborts when the job is taken away from this handler: the pod ends and the drain time is over, or the lock was lost. The job then runs
   * again elsewhere, whatever the handler still does. Pass it on to `fetch` and the like.
   */
  readonly signal: AbortSignal
  readonly log: TaskLog
  /** Stores how far the job is: a number (percent) or an object. Rejects while the broker is away. */
  progress(progress: number | object): Promise<void>
}

/**
 * Does one task. What it returns, or promises (JSON, and small), is stored as the job's result. When it throws, the attempt has failed, and the job's
 * own options say whether and when there is another one. An error whose `name` is `UnrecoverableError` ends the job at once.
 */
export type TaskHandler<Payload = never> = (payload: Payload, context: TaskContext) => unknown

/** Handlers by task type. */
export type Tasks = Readonly<Record<string, TaskHandler>>

/**
 * Types a set of handlers and returns it as it is.
 *
 * @example
 * export const tasks = defineTasks({
 *   'send-mail': async (payload: { to: string }, { signal, log }) => {
 *     log.info({ to: payload.to }, 'sending')
 *     await fetch('http://mailer/send', { method: 'POST', body: JSON.stringify(payload), signal })
 *   },
 * })
 */
export function defineTasks<T extends Tasks>(tasks: T): T {
  return tasks
}
