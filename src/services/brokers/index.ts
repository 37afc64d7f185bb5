/**
 * The ways to the brokers: what TaskBrokers and their Secrets say of an endpoint, connections that are shared by endpoint and credentials, and whose
 * turn it is to dispatch there. Guarantees: the number of connections does not grow with the number of resources; a turn is a proof that the broker
 * itself checks. Does not: know queues, or decide anything.
 */
export { createBrokerClock, type BrokerClock } from './broker-clock.ts'
export { createBrokerDirectory, type BrokerDirectory, type BrokerDirectoryDeps, type BrokerState } from './broker-directory.ts'
export { createBrokerHold, createBrokers, isBrokerFailure, type BrokerHold, type Brokers } from './brokers.ts'
export { createDispatchers, type Dispatchers, type DispatchersDeps, type DispatchState } from './dispatchers.ts'
export { turnAt } from './turn.ts'
export { fingerprintOf, type BrokerLease } from './brokers.ts'
