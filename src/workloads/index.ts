/**
 * What workloads of Kubernetes are made of and say about themselves: pods in trouble, in words; the Job of a node or slot, from its template
 * to its end.
 *
 * Pure rules over objects as the API server returns them; who asks for them, and how often, is somebody else's.
 */
export { isAcknowledged, isJobFor, buildJob, ttlSecondsOf, type WantedJob } from './job-body.ts'
export { endOfJob, hasUnreadyPods, type JobEnd, describeJobTrouble, describeLastFailure, podSelectorOfJob } from './job-state.ts'
export { describePodTrouble, type PodAdvice, type PodTrouble } from './pod-trouble.ts'
