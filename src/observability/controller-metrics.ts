import type { controllerMetrics } from './metrics/controllers.ts'
import type { Series } from './registry.ts'

type Outcome = 'success' | 'error' | 'requeue_after'
type Failure = 'error' | 'terminal' | 'panic' | 'timeout'

/** The hooks of one controller; they fit those of `runtime`. */
export type ControllerMetrics = {
  onReconcile(outcome: Outcome, seconds: number): void
  onFailure(kind: Failure): void
  onActive(workers: number): void
  onFallback(keys: number): void
  onDepth(depth: number): void
  onAdd(): void
  onTaken(waitedSeconds: number): void
  onDone(workedSeconds: number): void
  onRetry(): void
}

export type ControllerSource = {
  readonly name: string
  readonly concurrency: number
  /** For how long each key that is being worked on has been; asked when the metrics are read. */
  readonly workingSeconds: () => readonly number[]
}

const failures = {
  terminal: 'controller_runtime_terminal_reconcile_errors_total',
  panic: 'controller_runtime_reconcile_panics_total',
  timeout: 'controller_runtime_reconcile_timeouts_total',
} as const

/** Every series of a controller is there from the start, at 0. */
export function createControllerMetrics(
  series: Series<typeof controllerMetrics> & { beforeRead(refresh: () => void): void },
): (source: ControllerSource) => ControllerMetrics {
  /** The newest of a name: each term has its own. */
  const sources = new Map<string, ControllerSource>()
  series.beforeRead(() => {
    for (const { name, workingSeconds } of sources.values()) {
      const queue = { name, controller: name }
      const seconds = workingSeconds()
      series.set(
        'workqueue_unfinished_work_seconds',
        queue,
        seconds.reduce((sum, each) => sum + each, 0),
      )
      series.set('workqueue_longest_running_processor_seconds', queue, Math.max(0, ...seconds))
    }
  })

  return (source) => {
    const { name } = source
    const isFirst = !sources.has(name)
    sources.set(name, source)
    const controller = { controller: name }
    const queue = { name, controller: name }
    for (const result of ['success', 'error', 'requeue', 'requeue_after']) {
      series.add('controller_runtime_reconcile_total', { ...controller, result }, 0)
    }
    series.add('controller_runtime_reconcile_errors_total', controller, 0)
    for (const each of Object.values(failures)) series.add(each, controller, 0)
    series.add('taskmill_fallback_reconciles_total', controller, 0)
    series.add('workqueue_adds_total', queue, 0)
    series.add('workqueue_retries_total', queue, 0)
    if (isFirst) {
      series.open('workqueue_queue_duration_seconds', queue)
      series.open('workqueue_work_duration_seconds', queue)
      series.open('controller_runtime_reconcile_time_seconds', controller)
    }
    series.set('workqueue_depth', queue, 0)
    series.set('controller_runtime_active_workers', controller, 0)
    series.set('controller_runtime_max_concurrent_reconciles', controller, source.concurrency)
    return {
      onReconcile(result, seconds) {
        series.add('controller_runtime_reconcile_total', { ...controller, result })
        series.observe('controller_runtime_reconcile_time_seconds', controller, seconds)
      },
      onFailure(kind) {
        series.add('controller_runtime_reconcile_errors_total', controller)
        if (kind !== 'error') series.add(failures[kind], controller)
      },
      onActive: (workers) => series.set('controller_runtime_active_workers', controller, workers),
      onFallback: (keys) => series.add('taskmill_fallback_reconciles_total', controller, keys),
      onDepth: (keys) => series.set('workqueue_depth', queue, keys),
      onAdd: () => series.add('workqueue_adds_total', queue),
      onTaken: (seconds) => series.observe('workqueue_queue_duration_seconds', queue, seconds),
      onDone: (seconds) => series.observe('workqueue_work_duration_seconds', queue, seconds),
      onRetry: () => series.add('workqueue_retries_total', queue),
    }
  }
}
