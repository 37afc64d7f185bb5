import { keysOf, type TaskBroker, type TaskQueue } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory, DispatchLeases } from '../../services/brokers/index.ts'
import type { Signals } from '../../services/signals/index.ts'

export type TaskQueueSources = {
  readonly caches: {
    readonly queues: Pick<Informer<TaskQueue, 'byBroker' | 'byQueue'>, 'onChange' | 'byIndex'>
    readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'>
  }
  readonly signals: Pick<Signals, 'changesOf'>
  readonly directory: Pick<BrokerDirectory, 'onChange'>
  readonly dispatchLeases: Pick<DispatchLeases, 'onChange'>
}

export function taskQueueWatches({ caches, signals, directory, dispatchLeases }: TaskQueueSources): readonly Watch[] {
  const { queues, taskBrokers } = caches
  const ofBroker = (broker: string) => keysOf(queues.byIndex('byBroker', broker))
  return [
    // Also the TaskQueues that name the same queue: only one of them decides about it.
    watch('TaskQueues', queues, (key, current, previous) => {
      const name = (current ?? previous)?.spec.queueName ?? ''
      return [key, ...keysOf(queues.byIndex('byQueue', name))]
    }),
    watch('queues', signals.changesOf('TaskQueue'), (key) => [key]),
    watchSpecs('TaskBrokers', taskBrokers, ofBroker),
    watch('endpoints', directory, ofBroker),
    watch('dispatch leases', dispatchLeases, ofBroker),
  ]
}
