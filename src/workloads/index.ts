/**
 * Pods and Jobs: describes what is wrong with pods, builds the Job of a node or slot from its template, reads how a
 * Job ended, and finds fields of a pod template that another field manager holds.
 *
 * Pure rules over objects as the API server returns them. The caller decides when to read them.
 */
export {
  buildCronJob,
  cronJobRunName,
  describeDifferences,
  findDifferences,
  isCronJobFor,
  slotOfCronJobRun,
  type WantedCronJob,
} from './cron-job.ts'
export { type ManagedFieldsEntry, planTakeover, type Takeover } from './field-ownership.ts'
export { isAcknowledged, isJobFor, isOfTemplate, buildJob, ttlSecondsOf, type WantedJob } from './job-body.ts'
export {
  endOfJob,
  hasPod,
  hasStartedContainer,
  hasUnreadyPods,
  type JobEnd,
  describeJobTrouble,
  describeLastFailure,
  podSelectorOfJob,
} from './job-state.ts'
export { describePodTrouble, type PodAdvice, type PodTrouble } from './pod-trouble.ts'
