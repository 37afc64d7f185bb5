/**
 * What users import as `taskmill/worker`: the types of task handlers, and `defineTasks`. Loading it loads nothing else: neither bullmq nor
 * a connection, so that a tasks module can be tested alone.
 */
export { defineTasks, type TaskContext, type TaskHandler, type TaskLog, type Tasks } from '../../worker/index.ts'
