import { taskBrokers, type TaskBroker } from '../../api/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { soonest, type Reconcile } from '../../runtime/index.ts'
import type { BrokerState, DispatchLeases } from '../../services/brokers/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { transitionEvents } from './events.ts'
import { createGather, type GatherDeps, type Look, type World } from './gather.ts'
import { setGauges } from './metrics.ts'
import { statusOf, transitionOf } from './status.ts'

export type TaskBrokerDeps = GatherDeps & {
  readonly client: KubeClient
  readonly taskBrokers: Informer<TaskBroker>
  readonly dispatchLeases: DispatchLeases
  readonly installation: string
  readonly events: EventRecorder
  readonly metrics: Metrics
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
  /** From one look at a server that answers to the next; default 10 s. */
  readonly brokerLookMs?: number
}

/** Neither Redis nor a missing Secret announces that it has changed. */
const lookEveryMs = { Answered: 10_000, Failed: 2_000, Blocked: 5_000 } as const satisfies Record<Look['kind'], number>

export function createTaskBrokerController(deps: TaskBrokerDeps): { readonly reconcile: Reconcile } {
  const { client, dispatchLeases, installation, events, metrics, clock, brokerLookMs = lookEveryMs.Answered } = deps
  const gather = createGather(deps)
  const status = createStatusWriter<TaskBroker>({
    client,
    resource: taskBrokers,
    fieldManager: 'taskmill-task-broker',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskBroker'),
  })

  async function forget(key: string): Promise<void> {
    status.forget(key)
    dispatchLeases.forget(key)
    await gather.forget(key)
  }

  /** Claims the dispatch lease of the namespace where the endpoint is known; the answer comes as a change of the lease. */
  function claim(key: string, { metadata, spec }: TaskBroker, endpoint: BrokerState): void {
    if (endpoint.kind !== 'Known') return dispatchLeases.forget(key)
    dispatchLeases.want(key, { endpoint: endpoint.endpoint, namespace: metadata.namespace ?? '', dispatch: spec.dispatch })
  }

  return {
    async reconcile(key, { signal }) {
      const broker = deps.taskBrokers.get(key)
      if (broker === undefined || broker.metadata.deletionTimestamp !== undefined) {
        await forget(key)
        return {}
      }
      const { endpoint, look } = await gather.read(key, broker, signal)
      signal.throwIfAborted()
      claim(key, broker, endpoint)
      const before = status.latest(key, broker)
      const world: World = { broker, status: before, look, dispatch: dispatchLeases.state(key), installation, nowMs: clock.now() }
      const after = statusOf(world)
      setGauges(metrics, key, world)
      const written = await status.write(key, broker, after, signal)
      // Once it is written: if the write fails, the next look finds the same transition.
      for (const event of transitionEvents(before, after)) events.event(broker, event)
      const lookAfterMs = look.kind === 'Answered' ? brokerLookMs : lookEveryMs[look.kind]
      return soonest([lookAfterMs, written.againAfterMs])
    },
  }
}
