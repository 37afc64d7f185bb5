/**
 * Kubernetes Jobs that carry out nodes and slots, and what is wrong with pods. Guarantees: a Job is created once, by name and id; it stays until
 * its end is acknowledged. Does not: know what a Job is the run of, or decide anything.
 */
export {
  createJobs,
  jobNamed,
  starterOf,
  startersOf,
  type Creation,
  type JobLook,
  type JobRef,
  type JobReport,
  type Jobs,
  type JobsDeps,
  type Starter,
  type Trial,
} from './jobs.ts'
export { createPodWatch, type PodLook, type WantingPods } from './pod-watch.ts'
