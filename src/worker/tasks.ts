import { taskmillError } from '../errors/index.ts'

/** Writes to the worker's log, together with the job's id, type and queue. */
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

/** A handler's second argument, besides the payload. */
export type TaskContext = {
  readonly jobId: string
  /** The task type: the job's name. */
  readonly type: string
  readonly queue: string
  /** Number of this attempt, from 1. A run that the end of its pod interrupted does not count as an attempt. */
  readonly attempt: number
  /** How many attempts the job may have; 1 means no retry. */
  readonly maxAttempts: number
  /**
   * Aborts when the job is taken away from this handler: the pod ends and the drain time is over, or the lock was lost. The job then runs
   * again elsewhere, whatever the handler still does. Pass it on to `fetch` and the like.
   */
  readonly signal: AbortSignal
  readonly log: TaskLog
  /** Stores the job's progress: a number (percent) or an object. Rejects while the broker is away. */
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

/** Returns the handlers that a loaded module exports. Throws TM_TASKS_INVALID, which says what is wrong with the module. */
export function parseTasksModule(module: Readonly<Record<string, unknown>>, path: string): Tasks {
  const invalid = (what: string) =>
    taskmillError('TM_TASKS_INVALID', `${path} ${what}; write: export const tasks = { 'my-task': async (payload, context) => { ... } }`, {
      details: { path },
    })
  const { tasks } = module
  if (tasks === undefined) {
    const hint = module['default'] === undefined ? '' : ' (a default export is not read)'
    throw invalid(`has no export named "tasks"${hint}`)
  }
  if (typeof tasks !== 'object' || tasks === null || Array.isArray(tasks))
    throw invalid('exports "tasks", which is not an object of handlers')
  const handlers = Object.entries(tasks)
  if (handlers.length === 0) throw invalid('exports "tasks" without any handler')
  const wrong = handlers.find(([, handler]) => typeof handler !== 'function')
  if (wrong !== undefined) throw invalid(`exports "tasks", where ${JSON.stringify(wrong[0])} is not a function`)
  return tasks as Tasks
}
