/**
 * BullMQ and ioredis behind glass: whatever depends on how they work inside, and not only on what they document, stands in this folder.
 * The rest of `broker` uses this door and sees neither BullMQ's classes nor the names of its keys.
 *
 * What is relied on, and by which file. `test/integration/broker-bullmq-*.test.ts` hold all of it against the BullMQ that is pinned here and
 * against the newest BullMQ 5, with workers and producers of both beside ours.
 *   - The keys of a queue, their types and scores, and the fields of a job: all `.lua` files; the names in `contract/keys.ts`.
 *     placing       writes what addParentJob, addStandardJob, addDelayedJob and addPrioritizedJob write
 *     apply-queue   does what pause does, and writes the field of setGlobalConcurrency
 *     clean-queue, remove-placed, cancel-placed, acknowledge-ended, forget-queue, close-namespace    remove what cleanJobsInSet and removeJob remove
 *     read-ended    reads where moveToFinished leaves result and error of a child: `<parent>:processed`, `<parent>:failed`
 *     put-job-scheduler    writes what addJobScheduler and what it includes write: storeJobScheduler, storeAndEnqueueJob
 *     remove-job-scheduler, read-job-schedulers    know how a scheduler is kept, and the ids of its jobs
 *     renew-locks   does what extendLocks does
 *     keep-paused   knows where BullMQ 5 keeps the jobs of a paused queue
 *   - The markers that wake idle workers, and that a worker that pops one must fetch or put it back: queue-source.ts.
 *   - `Worker` without its loop: its protected method `nextJobFromJobData`, and what the methods `moveToActive`, `moveJobFromActiveToWait` and
 *     `moveStalledJobsToWait` of its backend (`createRedisBackend`) take and answer: queue-source.ts.
 *   - Negative codes of BullMQ's errors: queue-source.ts.
 *   - Where job schedulers, and repeatable jobs before BullMQ 6, are stored: repeating-jobs.ts, queue-readings.ts.
 *   - `_readyCheck`, a private method of ioredis: redis-client.ts.
 *
 * Does not: decide which queue comes next, when a lock is renewed, or what an end means.
 */
export { createClosing } from './closing.ts'
export { createEndedJobs } from './ended-jobs.ts'
export { createJobSchedulers } from './job-schedulers.ts'
export { createPlacedJobs, hasOtherParent, placingOf } from './placed-jobs.ts'
export { countOrphans, findChangedLimits, findChangedQueues, findLegacyRepeatables, readQueues, waitForEvents } from './queue-readings.ts'
export { createQueueSettings } from './queue-settings.ts'
export {
  createMarkerWatch,
  findClaims,
  isRefusedByQueue,
  peekSources,
  QueueSource,
  renewLocks,
  type Fetched,
  type Marker,
  type MarkerWatch,
  type Settled,
  type TakenJob,
} from './queue-source.ts'
export { createRedisClient } from './redis-client.ts'
export { findRepeatingQueues, readRepeatingJobs, type RepeatingJob, type RepeatingQueue, type TooMuch } from './repeating-jobs.ts'
