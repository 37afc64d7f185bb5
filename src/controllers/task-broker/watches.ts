import type { TaskBroker } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory, DispatchLeases } from '../../services/brokers/index.ts'

export type TaskBrokerSources = {
  readonly caches: { readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'> }
  readonly directory: Pick<BrokerDirectory, 'onChange'>
  readonly dispatchLeases: Pick<DispatchLeases, 'onChange'>
}

export function taskBrokerWatches({ caches, directory, dispatchLeases }: TaskBrokerSources): readonly Watch[] {
  return [
    watch('TaskBrokers', caches.taskBrokers, (key) => [key]),
    watch('endpoints', directory, (broker) => [broker]),
    watch('dispatch leases', dispatchLeases, (broker) => [broker]),
  ]
}
