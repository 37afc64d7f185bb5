/**
 * What Kubernetes and BullMQ have for schedules, created and kept in step for the TaskSchedules that want it: a CronJob each, or a job
 * scheduler each. Guarantees: those of `Primitive`. Does not: decide anything, or record runs; that do `scheduling` and `services/slots`.
 */
export { type CronJobDeps, type CronJobMemory, type CronJobVisit, type Withheld } from './cron-job-view.ts'
export { createCronJob } from './cron-jobs.ts'
export type { Primitive, PrimitiveAnswer } from './primitive.ts'
export { createJobScheduler, type JobSchedulerMemory } from './job-scheduler.ts'
export { createSchedulerJobs, type SchedulerJobs } from './scheduler-jobs.ts'
export { createJobSchedulerWatch, type JobSchedulerWatch, type SeenJobScheduler } from './job-scheduler-watch.ts'
