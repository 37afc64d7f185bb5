import type { TaskBroker } from '../../api/index.ts'
import type { BrokerEndpoint, DispatchProof } from '../../broker/index.ts'
import type { Informer } from '../../kube/index.ts'
import type { BrokerDirectory } from './broker-directory.ts'
import type { Dispatchers } from './dispatchers.ts'

/** Whether one may act through a TaskBroker now, and where; or what is in the way. `Pending`: nobody has said yet whose turn it is. */
export type Turn =
  | { readonly kind: 'NoBroker' }
  | { readonly kind: 'Pending' }
  | { readonly kind: 'NotUsable'; readonly message: string }
  | { readonly kind: 'Standby'; readonly heldBy: string | undefined }
  | { readonly kind: 'Turn'; readonly endpoint: BrokerEndpoint; readonly proof: DispatchProof }

export type TurnDeps = {
  readonly taskBrokers: Pick<Informer<TaskBroker>, 'get'>
  readonly directory: Pick<BrokerDirectory, 'get'>
  readonly dispatchers: Pick<Dispatchers, 'state'>
}

/** As far as the caches say; `brokerKey` is `namespace/name` of the TaskBroker. */
export function turnAt({ taskBrokers, directory, dispatchers }: TurnDeps, brokerKey: string): Turn {
  if (taskBrokers.get(brokerKey) === undefined) return { kind: 'NoBroker' }
  const place = directory.get(brokerKey)
  if (place.kind === 'Blocked') return { kind: 'NotUsable', message: place.message }
  const turn = dispatchers.state(brokerKey)
  if (turn.kind === 'Standby') return { kind: 'Standby', heldBy: turn.heldBy }
  if (turn.kind === 'Pending' || place.kind === 'Unknown') return { kind: 'Pending' }
  return { kind: 'Turn', endpoint: place.endpoint, proof: turn.proof }
}
