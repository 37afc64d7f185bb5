/**
 * The broker: Redis or Valkey with BullMQ's queues. The only folder that knows bullmq and ioredis, and none of their types leaves it. Whatever
 * depends on how these two work inside stands in `bullmq/`, behind a door of its own.
 *
 * The operator's side (`connectBroker`) reads many queues in one round trip, waits for their events, applies their settings, and dispatches
 * slots and runs: ledgers, logs, and jobs that are placed, taken back and tracked to their end. It does so only with the proof that this
 * operator holds the dispatch lease. It fails fast.
 * The worker's side (`createConsumer`) runs the jobs of several queues in one set of slots: at most `concurrency` at once, none fetched
 * without a free slot, each at least once, and handed back unharmed at a drain.
 * Guarantees: connections come back by themselves, no command is queued or resent behind a caller's back, no unhandled rejection, no
 * password or payload in an error or a log.
 * Does not: decide anything about scaling, slots or runs, or hold a copy of what a queue contains.
 *
 * The smallest ACL rules, for the prefix `bull` (test/integration/broker-access.test.ts works with exactly these):
 *   operator  ~bull:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +time +client|id +client|setname
 *             and, to read version, memory, eviction policy and persistence: +info +config|get; to end a wait at once: +client|unblock
 *   worker    ~bull:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +time +client|id +client|setname
 *             and, for a faster drain: +client|unblock
 */
export { connectBroker } from './connect-broker.ts'
export { createConsumer } from './consumer.ts'
export { listRepeatingJobs, type RepeatingListing } from './list-repeating.ts'
export type { Consumer, ConsumerHealth, ConsumerJob, ConsumerOptions, DrainResult, ProcessJob } from './consumer-port.ts'
export type {
  Broker,
  BrokerCredentials,
  BrokerEndpoint,
  BrokerInfo,
  BrokerOptions,
  BrokerQueues,
  BrokerTls,
  CleanAnswer,
  QueueAnswer,
  QueueApply,
  QueueChange,
  QueueClaim,
  QueueReading,
  QueueRetention,
  QueueSettings,
} from './broker-port.ts'
export type {
  BrokerJobSchedulers,
  FollowedJob,
  JobSchedulerDifference,
  JobSchedulerPut,
  JobSchedulerReading,
  JobSchedulerRef,
  JobSchedulerRequest,
  JobSchedulerSpec,
  SchedulerJob,
  StoredJobScheduler,
} from './job-scheduler-port.ts'
export type {
  BrokerJobs,
  BrokerLedgers,
  BrokerRuns,
  CancelAnswer,
  CountRequest,
  Counts,
  DispatchAnswer,
  DispatchClaim,
  DispatchProof,
  Portion,
  EndedJob,
  EndedNode,
  EndedSlot,
  LedgerAnswer,
  GroupWrite,
  LedgerWrite,
  PlacedJob,
  PlacedRef,
  PlacedState,
  RunAnswer,
  RunAppend,
  StoredLedger,
  StoredRun,
} from './dispatch-port.ts'
