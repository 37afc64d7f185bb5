/**
 * `taskmill import`: TaskSchedules for what teams already have: CronJobs, the job schedulers of BullMQ, a schedule of Celery beat.
 *
 * Guarantees: each manifest that it writes passes `taskmill lint`. What has no counterpart, or means something else here, is said in comments above
 * the manifest; what cannot be converted is only a comment, with the reason. Nothing that is given is left out in silence.
 * Does not: read files, or reach a cluster or a broker.
 */
export { importCronJobs } from './cron-job.ts'
export { importBeatSchedule } from './celery-beat.ts'
export { importJobSchedulers } from './bullmq.ts'
export { renderDrafts } from './draft.ts'
