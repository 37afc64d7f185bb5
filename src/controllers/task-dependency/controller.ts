import { taskDependencies, type TaskDependency, type TaskDependencyStatus } from '../../api/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { soonest, type Reconcile } from '../../runtime/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { transitionEvents } from './events.ts'
import { createGather, type GatherDeps } from './gather.ts'
import { statusOf, transitionOf } from './status.ts'

export type TaskDependencyDeps = GatherDeps & {
  readonly client: KubeClient
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** How much later a number may be written. */
const gaugeIntervalMs = 1_000

export function createTaskDependencyController(deps: TaskDependencyDeps): { readonly reconcile: Reconcile } {
  const { client, dependencies, events, metrics, clock } = deps
  const gather = createGather(deps)
  const status = createStatusWriter<TaskDependency>({
    client,
    resource: taskDependencies,
    fieldManager: 'taskmill-task-dependency',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskDependency'),
    gaugeIntervalMs,
  })

  function forget(key: string): void {
    gather.forget(key)
    status.forget(key)
  }

  function setGauges(key: string, { nodes, activeRuns }: TaskDependencyStatus): void {
    const series = metrics.of('TaskDependency', key)
    series.set('taskmill_dependency_nodes', {}, nodes)
    series.set('taskmill_dependency_active_runs', {}, activeRuns)
  }

  return {
    async reconcile(key, { signal }) {
      const dependency = dependencies.get(key)
      if (dependency === undefined || dependency.metadata.deletionTimestamp !== undefined) {
        forget(key)
        return {}
      }
      const before = status.latest(key, dependency)
      const world = await gather.read(key, dependency, before, { signal })
      const after = statusOf(world)
      setGauges(key, after)
      const written = await status.write(key, dependency, after, signal)
      for (const event of transitionEvents(before, after)) events.event(dependency, event)
      const tryAgainMs = world.tryAgainAtMs === undefined ? undefined : Math.max(0, world.tryAgainAtMs - clock.now())
      return soonest([written.againAfterMs, tryAgainMs])
    },
  }
}
