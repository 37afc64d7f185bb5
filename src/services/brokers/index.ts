/**
 * The ways to the brokers: endpoints from TaskBrokers and their Secrets, connections shared by endpoint and credentials, and the dispatch leases.
 * Guarantees: the number of connections does not grow with the number of resources; a dispatch lease is a proof that the broker itself checks.
 * This room knows no queues and makes no decisions.
 */
export { createBrokerClock, type BrokerClock } from './broker-clock.ts'
export { createBrokerDirectory, type BrokerDirectory, type BrokerDirectoryDeps, type BrokerState } from './broker-directory.ts'
export { createBrokerConnection, createBrokers, isBrokerFailure, type BrokerConnection, type Brokers } from './brokers.ts'
export { createDispatchLeases, type DispatchLeases, type DispatchLeasesDeps, type DispatchState } from './dispatch-leases.ts'
export { dispatchLeaseAt, dispatchLeaseIn, type DispatchLease, type DispatchLeaseDeps } from './dispatch-lease.ts'
export { fingerprintOf, type BrokerLease } from './brokers.ts'
