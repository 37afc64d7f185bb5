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

/**
 * Who holds the dispatch lease of a namespace at one endpoint, by the TaskBrokers of that namespace that may mean it. `Unclaimed`: there is
 * none, so that the lease may be claimed for a moment.
 */
export function dispatchLeaseIn(
  {
    taskBrokers,
    directory,
    dispatchLeases,
  }: Pick<DispatchLeaseDeps, 'directory' | 'dispatchLeases'> & { readonly taskBrokers: Pick<Informer<TaskBroker>, 'list'> },
  namespace: string,
  endpoint: BrokerEndpoint,
): { readonly kind: 'Held'; readonly proof: DispatchProof } | { readonly kind: 'Unclaimed' | 'Pending' | 'Standby' } {
  const keys = taskBrokers.list(namespace).map(({ metadata }) => `${namespace}/${metadata.name}`)
  const states = keys.filter((key) => mayMean(directory.get(key), endpoint)).map((key) => dispatchLeases.state(key))
  const active = states.find((state) => state.kind === 'Active')
  if (active !== undefined) return { kind: 'Held', proof: active.proof }
  if (states.length === 0) return { kind: 'Unclaimed' }
  return { kind: states.some(({ kind }) => kind === 'Pending') ? 'Pending' : 'Standby' }
}

function mayMean(place: ReturnType<BrokerDirectory['get']>, { address, keyPrefix }: BrokerEndpoint): boolean {
  return place.kind !== 'Known' || (place.endpoint.address === address && place.endpoint.keyPrefix === keyPrefix)
}
