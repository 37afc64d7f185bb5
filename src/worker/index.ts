/**
 * The worker that users run in their pods: it takes jobs from the queues of its pool and hands each to the handler of its task type.
 *
 * Guarantees: at most `concurrency` handlers run at once over all queues. At SIGTERM it takes no more jobs; running handlers get the drain
 * time, and the remaining jobs go back to their queues without an attempt used up. A task type without a handler fails with a message that
 * names the known ones. Changed passwords are used without a restart. A broker that is away makes the worker unready, never dead.
 * Does not: know anything of Kubernetes. Its settings come from its environment.
 */
export { defineTasks, parseTasksModule } from './tasks.ts'
export type { TaskContext, TaskHandler, TaskLog, Tasks } from './tasks.ts'
export { parseWorkerConfig, type WorkerConfig } from './config.ts'
export { openBrokerAccess, type BrokerAccess } from './broker-access.ts'
export { createWorker, type Worker, type WorkerDeps } from './create-worker.ts'
