/**
 * Where the jobs are that Taskmill has placed: which of them have ended, and what the others are doing. Guarantees: an end is known within
 * milliseconds and kept until it is acknowledged; what lasts is looked at ever more seldom. Does not: record anything.
 */
export { findEnds } from './find-ends.ts'
export { createTracking, type TrackedOwner, type Tracking, type TrackingDeps } from './tracking.ts'
export { createWhereabouts, type Whereabouts } from './whereabouts.ts'
