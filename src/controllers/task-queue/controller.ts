import { isTerminating, taskQueues, type TaskQueue } from '../../api/index.ts'
import { createConditionMetrics, setQueueMetrics } from '../../observability/index.ts'
import { soonest } from '../../runtime/index.ts'
import { retryMs } from '../../services/engine/index.ts'
import { createStatusWriter, runningGaugeMs, whileRunning } from '../../services/status/index.ts'
import { act, remove } from './act.ts'
import { changeEvent, transitionEvents } from './events.ts'
import { type Context, gather, type Memory, remember, subscriberOf, type TaskQueueDeps } from './gather.ts'
import { ratesOf } from './rates.ts'
import { hasJobs, statusOf, transitionOf } from './status.ts'

/** The rates change although nothing else does: jobs come and go, and the minute moves on. */
const ratesEveryMs = 30_000

type Result = { readonly requeueAfterMs?: number }

export function createTaskQueueController(deps: TaskQueueDeps): {
  reconcile(key: string, context: Context): Promise<Result>
} {
  const { engine, events, metrics } = deps
  const memories = new Map<string, Memory>()
  const status = createStatusWriter<TaskQueue>({
    client: deps.client,
    resource: taskQueues,
    fieldManager: 'taskmill-task-queue',
    clock: deps.clock,
    transitionOf,
    budget: deps.statusBudget,
    gaugeIntervalMs: whileRunning(hasJobs),
    conditionMetrics: createConditionMetrics(metrics, 'TaskQueue'),
  })

  /** `terminating`: its deletion has begun, and somebody still holds it. */
  async function reconcileGone(key: string, terminating: TaskQueue | undefined, context: Context): Promise<Result> {
    const memory = terminating === undefined ? memories.get(key) : remember(memories, engine, key, terminating)
    deps.signals.unsubscribe(subscriberOf(key))
    status.forget(key)
    try {
      const removal = memory === undefined ? undefined : await remove(deps, key, memory, context)
      if (removal?.isComplete === true) return {}
      if (terminating !== undefined) return { requeueAfterMs: retryMs.unreachable }
      deps.orphanedData.lookAgain()
      return {}
    } finally {
      if (terminating === undefined) memories.delete(key)
    }
  }

  return {
    async reconcile(key, context) {
      const queue = deps.queues.get(key)
      if (queue === undefined || isTerminating(queue)) return reconcileGone(key, queue, context)
      const memory = remember(memories, engine, key, queue)
      const before = status.latest(key, queue)
      const gathered = gather(deps, key, memory, before)
      const { reading, suspension } = gathered

      const { situation, againAfterMs, happened } = await act(deps, key, memory, gathered, context)
      for (const { changes } of happened) for (const change of changes) events.event(queue, changeEvent(change))
      if (situation.kind === 'Failed') throw situation.error
      setQueueMetrics(metrics, 'TaskQueue', key, { broker: queue.spec.brokerRef.name, queues: new Map([[queue.spec.queueName, reading]]) })

      if (situation.kind === 'Pending' && engine.isUndecided(memory) && before?.conditions !== undefined) {
        return soonest([againAfterMs, suspension.endsInMs])
      }
      const rates = ratesOf(memory.samples)
      const after = statusOf({ ...gathered, situation, rates })
      const written = await status.write(key, queue, after, context.signal)
      for (const event of transitionEvents(before, after)) events.event(queue, event)
      const isMoving = rates === undefined ? reading !== undefined : rates.arrivalsPerMinute + rates.departuresPerMinute > 0
      return soonest([
        againAfterMs,
        written.againAfterMs,
        suspension.endsInMs,
        isMoving ? (hasJobs(after) ? runningGaugeMs : ratesEveryMs) : undefined,
      ])
    },
  }
}
