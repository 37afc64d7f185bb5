/**
 * The broker: Redis or Valkey with BullMQ's queues. The only folder that knows bullmq and ioredis, and none of their types leaves it.
 *
 * The operator's side (`connectBroker`) reads many queues in one round trip and waits for their events; it never writes to a queue and
 * fails fast. The worker's side (`createConsumer`) runs the jobs of several queues in one set of slots: at most `concurrency` at once,
 * none fetched without a free slot, each at least once, and handed back unharmed at a drain.
 * Guarantees: connections come back by themselves, no command is queued or resent behind a caller's back, no unhandled rejection.
 * Does not: decide anything about scaling, or hold a copy of what a queue contains.
 */
export { connectBroker } from './connect-broker.ts'
export { createConsumer } from './create-consumer.ts'
export type { Consumer, ConsumerJob, ConsumerOptions, DrainResult, ProcessJob } from './consumer-port.ts'
export type { Broker, BrokerEndpoint, BrokerInfo, BrokerOptions, QueueReading } from './port.ts'
