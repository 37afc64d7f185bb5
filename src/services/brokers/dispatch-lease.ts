import type { TaskBroker } from '../../api/index.ts'
import type { BrokerEndpoint, DispatchProof } from '../../broker/index.ts'
import type { Informer } from '../../kube/index.ts'
import type { BrokerDirectory } from './broker-directory.ts'
import type { DispatchLeases } from './dispatch-leases.ts'

/**
 * Whether this process may dispatch through a TaskBroker, and where; otherwise what prevents it. `Pending`: no broker has answered yet.
 * `NotUsable`: a Secret of the TaskBroker is missing or wrong.
 */
export type DispatchLease =
  | { readonly kind: 'NoBroker' }
  | { readonly kind: 'Pending' }
  | { readonly kind: 'NotUsable'; readonly message: string }
  | { readonly kind: 'Standby'; readonly heldBy: string | undefined }
  | { readonly kind: 'Held'; readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof }

export type DispatchLeaseDeps = {
  readonly taskBrokers: Pick<Informer<TaskBroker>, 'get'>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly dispatchLeases: Pick<DispatchLeases, 'state'>
}

/** Reads the caches only; `brokerKey` is `namespace/name` of the TaskBroker. */
export function dispatchLeaseAt({ taskBrokers, directory, dispatchLeases }: DispatchLeaseDeps, brokerKey: string): DispatchLease {
  if (taskBrokers.get(brokerKey) === undefined) return { kind: 'NoBroker' }
  const place = directory.get(brokerKey)
  if (place.kind === 'Blocked') return { kind: 'NotUsable', message: place.message }
  const state = dispatchLeases.state(brokerKey)
  if (state.kind === 'Standby') return { kind: 'Standby', heldBy: state.heldBy }
  if (state.kind === 'Pending' || place.kind === 'Unknown') return { kind: 'Pending' }
  return { kind: 'Held', endpoint: place.endpoint, proof: state.proof }
}
