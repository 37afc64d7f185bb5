/**
 * The worker that users run in their pods: it takes jobs from the queues of its pool and hands each to the handler of its task type.
 *
 * Guarantees: at most `concurrency` handlers at once over all queues; at SIGTERM nothing more is taken, running handlers get the drain
 * time, and what is left goes back to its queue without an attempt used up; a task type without a handler fails with a message that names
 * the known ones. Passwords that change in their files are used without a restart. It tells probes how it is: a broker that is away makes it
 * unready, never dead. Does not: know anything of Kubernetes; what it needs comes in through its environment.
 */
export { defineTasks } from './tasks.ts'
export type { TaskContext, TaskHandler, TaskLog, Tasks } from './tasks.ts'
export { parseTasksModule } from './tasks-module.ts'
export { parseWorkerConfig, type WorkerConfig } from './config.ts'
export { openBrokerAccess, type BrokerAccess } from './broker-access.ts'
export { createWorker, type Worker, type WorkerDeps } from './create-worker.ts'
