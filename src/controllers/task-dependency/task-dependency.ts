import {
  dependencyEvent,
  findCondition,
  taskDependencies,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
} from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { understandDependency, type UnderstoodDependency } from '../../plans/index.ts'
import { soonest } from '../../runtime/index.ts'
import type { Jobs } from '../../services/jobs/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { statusOf, transitionOf } from './status.ts'
import { nothingTried, tryJobs, type Trials } from './trials.ts'

export type TaskDependencyDeps = {
  readonly client: KubeClient
  readonly dependencies: Pick<Informer<TaskDependency>, 'get'>
  readonly executions: Pick<Informer<TaskExecution, 'byDependency'>, 'byIndex'>
  readonly taskBrokers: Pick<Informer<TaskBroker>, 'get'>
  readonly jobs: Pick<Jobs, 'tryOut'>
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** Of one version of a graph. */
type Known = { readonly version: string; readonly understood: UnderstoodDependency; trials?: Trials; tryAgainAtMs?: number }

/** The API server did not say what it thinks of a template. */
const tryAgainMs = 30_000
/** How much later a number may be told. */
const gaugeIntervalMs = 1_000

export function createTaskDependencyController(deps: TaskDependencyDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, dependencies, executions, taskBrokers, jobs, events, metrics, clock } = deps
  /** Compiled once per generation. */
  const known = new Map<string, Known>()
  const writer = createStatusWriter<TaskDependency>({
    client,
    resource: taskDependencies,
    fieldManager: 'taskmill-task-dependency',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'TaskDependency'),
    gaugeIntervalMs,
  })

  function understand(key: string, dependency: TaskDependency): Known {
    const version = `${dependency.metadata.uid}/${dependency.metadata.generation}`
    const entry = known.get(key)
    if (entry?.version === version) return entry
    const read: Known = { version, understood: understandDependency(dependency) }
    known.set(key, read)
    return read
  }

  return {
    async reconcile(key, { signal }) {
      const dependency = dependencies.get(key)
      if (dependency === undefined || dependency.metadata.deletionTimestamp !== undefined) {
        known.delete(key)
        writer.forget(key)
        return {}
      }
      const before = writer.latest(key, dependency)
      const read = understand(key, dependency)
      if (read.understood.ok && read.trials?.isComplete !== true && clock.now() >= (read.tryAgainAtMs ?? 0)) {
        read.trials = await tryJobs(jobs, dependency, signal)
        read.tryAgainAtMs = clock.now() + tryAgainMs
      }
      const { understood, trials = nothingTried } = read
      const after = statusOf({
        dependency,
        status: before,
        understood,
        trials,
        hasBroker: taskBrokers.get(`${dependency.metadata.namespace ?? ''}/${dependency.spec.brokerRef.name}`) !== undefined,
        runs: executions.byIndex('byDependency', key),
        nowMs: clock.now(),
      })
      const series = metrics.of('TaskDependency', key)
      series.set('taskmill_dependency_nodes', {}, after.nodes)
      series.set('taskmill_dependency_active_runs', {}, after.activeRuns)
      const { againAfterMs } = await writer.write(key, dependency, after, signal)
      const stalled = findCondition(after.conditions, 'Stalled')
      const was = findCondition(before?.conditions, 'Stalled')
      if (stalled !== undefined && (was?.reason !== stalled.reason || before?.observedGeneration !== after.observedGeneration)) {
        events.event(dependency, dependencyEvent('GraphInvalid', stalled.message))
      }
      const tryAfterMs = understood.ok && !trials.isComplete ? Math.max(0, (read.tryAgainAtMs ?? 0) - clock.now()) : undefined
      return soonest([againAfterMs, tryAfterMs])
    },
  }
}
