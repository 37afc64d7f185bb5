/**
 * Where the jobs are that Taskmill has placed: which of them have ended, and what the others are doing. Guarantees: an end is known within
 * milliseconds and kept until it is acknowledged; what lasts is looked at ever more seldom. Does not: record anything.
 */
export { createTracking, findEnds, type DoneQueue, type TrackedOwner, type Tracking, type TrackingDeps } from './tracking.ts'
export { describeWhereabout, queueFactsOf, type QueueFacts, type Whereabout } from './describe-whereabouts.ts'
export { createWhereabouts, type Whereabouts, type WhereaboutsDeps } from './whereabouts.ts'
