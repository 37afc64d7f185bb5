import { taskBrokers, type TaskBroker } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import type { BrokerDirectory, Brokers, BrokerState, DispatchLeases } from '../../services/brokers/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { tellBroker } from './broker-metrics.ts'
import { createConnections } from './connections.ts'
import { decide, transitionOf } from './decide.ts'
import type { Look } from './world.ts'

export type TaskBrokerDeps = {
  readonly client: KubeClient
  readonly taskBrokers: Informer<TaskBroker>
  /** The queues that the pools and schedules of a TaskBroker name. */
  readonly queuesOf: (key: string) => readonly string[]
  /** The shared connections. */
  readonly brokers: Brokers
  /** Resolved here and nowhere else. */
  readonly directory: BrokerDirectory
  readonly dispatchLeases: DispatchLeases
  readonly installation: string
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** Redis does not announce what happens to it, nor does anybody a Secret that comes. */
const lookEveryMs = { Answered: 10_000, Failed: 2_000, Blocked: 5_000 } as const satisfies Record<Look['kind'], number>

export function createTaskBrokerController(deps: TaskBrokerDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, directory, dispatchLeases, installation, events, metrics, clock } = deps
  const status = createStatusWriter<TaskBroker>({
    client,
    resource: taskBrokers,
    fieldManager: 'taskmill-task-broker',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskBroker'),
  })
  const connections = createConnections(deps)

  /** What the broker says. A Secret that is of no use is likely to be corrected; refused credentials may be those of yesterday, so the Secret is looked at once more. */
  async function lookAt(
    key: string,
    broker: TaskBroker,
    signal: AbortSignal,
  ): Promise<{ readonly state: BrokerState; readonly look: Look }> {
    const state = await directory.resolve(key, broker, { force: directory.get(key).kind === 'Blocked', signal })
    const look = await lookThrough(key, state)
    if (look.kind !== 'Failed' || look.reason !== 'AuthenticationFailed') return { state, look }
    const fresh = await directory.resolve(key, broker, { force: true, signal })
    return fresh === state ? { state, look } : { state: fresh, look: await lookThrough(key, fresh) }
  }

  async function lookThrough(key: string, state: BrokerState): Promise<Look> {
    if (state.kind === 'Known') return await connections.look(key, state.endpoint)
    await connections.forget(key)
    if (state.kind === 'Blocked') return state
    throw new TypeError('a resolved TaskBroker is known or blocked')
  }

  async function forget(key: string): Promise<void> {
    status.forget(key)
    dispatchLeases.forget(key)
    directory.forget(key)
    await connections.forget(key)
  }

  return {
    async reconcile(key, { signal }) {
      const broker = deps.taskBrokers.get(key)
      if (broker === undefined || broker.metadata.deletionTimestamp !== undefined) {
        await forget(key)
        return {}
      }
      const { state, look } = await lookAt(key, broker, signal)
      signal.throwIfAborted()
      if (state.kind === 'Known') {
        const { dispatch } = broker.spec
        dispatchLeases.want(key, { endpoint: state.endpoint, namespace: broker.metadata.namespace ?? '', dispatch })
      } else dispatchLeases.forget(key)
      const before = status.latest(key, broker)
      const dispatch = dispatchLeases.state(key)
      const plan = decide({ broker, status: before, look, dispatch, installation, nowMs: clock.now() })
      for (const event of plan.events) events.event(broker, event)
      tellBroker(metrics, key, look, dispatch)
      const written = await status.write(key, broker, plan.status, signal)
      return { requeueAfterMs: Math.min(lookEveryMs[look.kind], written.againAfterMs ?? Infinity) }
    },
  }
}
