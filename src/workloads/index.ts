/**
 * Pods and Jobs: describes what is wrong with pods, builds the Job of a node or slot from its template, and reads how a
 * Job ended.
 *
 * Pure rules over objects as the API server returns them. The caller decides when to read them.
 */
export { isAcknowledged, isJobFor, buildJob, ttlSecondsOf, type WantedJob } from './job-body.ts'
export { endOfJob, hasUnreadyPods, type JobEnd, describeJobTrouble, describeLastFailure, podSelectorOfJob } from './job-state.ts'
export { describePodTrouble, type PodAdvice, type PodTrouble } from './pod-trouble.ts'
