/**
 * The broker: Redis or Valkey with BullMQ's queues. The only folder that knows bullmq and ioredis, and none of their types leaves it.
 *
 * The operator's side (`connectBroker`) reads many queues in one round trip, waits for their events, keeps their settings, and dispatches slots and runs: ledgers,
 * logs, and jobs that are placed, taken back and tracked to their end, all of it only with the proof that it is this operator's turn. It
 * fails fast.
 * The worker's side (`createConsumer`) runs the jobs of several queues in one set of slots: at most `concurrency` at once, none fetched
 * without a free slot, each at least once, and handed back unharmed at a drain.
 * Guarantees: connections come back by themselves, no command is queued or resent behind a caller's back, no unhandled rejection, no
 * password or payload in an error or a log.
 * Does not: decide anything about scaling, slots or runs, or hold a copy of what a queue contains.
 *
 * The smallest ACL rules, for the prefix `bull` (test/integration/broker-access.test.ts works with exactly these):
 *   operator  ~bull:* resetchannels -@all +@read +@write -@dangerous +@transaction +eval +evalsha +script|load +time +client|id +client|setname
 *             and, to be told version, memory, eviction policy and persistence: +info +config|get; to end a wait at once: +client|unblock
 *   worker    ~bull:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +time +client|id +client|setname
 *             and, for a faster drain: +client|unblock
 */
export { connectBroker } from './connect-broker.ts'
export { createConsumer } from './create-consumer.ts'
export type { Consumer, ConsumerHealth, ConsumerJob, ConsumerOptions, DrainResult, ProcessJob } from './consumer-port.ts'
export type { BrokerLedgers, DispatchAnswer, DispatchClaim, DispatchProof, LedgerAnswer, LedgerWrite, StoredLedger } from './ledger-port.ts'
export type { BrokerJobs, CancelAnswer, EndedJob, EndedNode, EndedSlot, PlacedJob, PlacedRef, PlacedState } from './job-port.ts'
export type {
  BrokerQueues,
  CleanAnswer,
  QueueAnswer,
  QueueApply,
  QueueChange,
  QueueClaim,
  QueueRetention,
  QueueSettings,
} from './queue-port.ts'
export type { BrokerRuns, CountRequest, Counts, RunAnswer, RunAppend, StoredRun } from './run-port.ts'
export type { Broker, BrokerCredentials, BrokerEndpoint, BrokerInfo, BrokerOptions, BrokerTls, QueueReading } from './port.ts'
