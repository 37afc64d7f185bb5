import { taskBrokers, type TaskBroker } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createStatusWriter, type BrokerLease, type Brokers, type WriteBudget } from '../../services/index.ts'
import { decide, transitionOf, type Look } from './decide.ts'

export type TaskBrokerDeps = {
  readonly client: KubeClient
  readonly taskBrokers: Informer<TaskBroker>
  /** The shared connections. */
  readonly brokers: Brokers
  readonly events: EventRecorder
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

const lookEveryMs = { reachable: 10_000, away: 2_000 } as const

export function createTaskBrokerController(deps: TaskBrokerDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, brokers, events, clock } = deps
  const status = createStatusWriter<TaskBroker>({
    client,
    resource: taskBrokers,
    fieldManager: 'taskmill-task-broker',
    clock,
    transitionOf,
    budget: deps.statusBudget,
  })

  const leases = new Map<string, BrokerLease & { readonly address: string }>()

  /** The connection of a TaskBroker, which follows its address; the prefix never changes. */
  async function leaseOf(key: string, { spec }: TaskBroker): Promise<BrokerLease> {
    const { address } = spec.standalone
    const held = leases.get(key)
    if (held?.address === address) return held
    const lease = brokers.acquire({ address, keyPrefix: spec.keyPrefix })
    leases.set(key, { ...lease, address })
    await held?.release()
    return lease
  }

  async function forget(key: string): Promise<void> {
    status.forget(key)
    const held = leases.get(key)
    leases.delete(key)
    await held?.release()
  }

  return {
    async reconcile(key, { signal }) {
      const broker = deps.taskBrokers.get(key)
      if (broker === undefined || broker.metadata.deletionTimestamp !== undefined) {
        await forget(key)
        return {}
      }
      const look = await lookAt(await leaseOf(key, broker))
      const before = status.latest(key, broker)
      const plan = decide({ broker, status: before, look, nowMs: clock.now() })
      await status.write(key, broker, plan.status, signal)
      for (const event of plan.events) events.event(broker, event)
      return { requeueAfterMs: look.reachable ? lookEveryMs.reachable : lookEveryMs.away }
    },
  }
}

async function lookAt({ broker }: BrokerLease): Promise<Look> {
  try {
    return { reachable: true, ...(await broker.info()) }
  } catch (error) {
    return { reachable: false, message: errorMessage(error) }
  }
}
