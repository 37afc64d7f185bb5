/** Metrics of the controllers and their queues: controller-runtime's names, labels and meaning. Every series is there from the start, at 0. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

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

/** Those of Kubernetes' workqueue: 10 ns to 1,000 s. */
const queueBuckets = Array.from({ length: 12 }, (_, power) => 10 ** (power - 8))
const reconcileBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export function createControllerMetrics(registry: Registry): (source: ControllerSource) => ControllerMetrics {
  const registers = [registry]
  /** The newest of a name: each term has its own. */
  const sources = new Map<string, ControllerSource>()
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers })
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers })

  const total = counter('controller_runtime_reconcile_total', 'Reconciliations per controller, by result.', ['controller', 'result'])
  const errors = counter('controller_runtime_reconcile_errors_total', 'Reconciliations that failed, for whatever reason.', ['controller'])
  const failures = {
    terminal: counter('controller_runtime_terminal_reconcile_errors_total', 'Those that failed for good and are not repeated.', [
      'controller',
    ]),
    panic: counter('controller_runtime_reconcile_panics_total', 'Those that failed because of a mistake in the program.', ['controller']),
    timeout: counter('controller_runtime_reconcile_timeouts_total', 'Those that were aborted because they took too long.', ['controller']),
  }
  const fallbacks = counter('taskmill_fallback_reconciles_total', 'Keys that were enqueued by the hourly fallback.', ['controller'])
  const maximum = gauge('controller_runtime_max_concurrent_reconciles', 'How many keys may be reconciled at once.', ['controller'])
  const active = gauge('controller_runtime_active_workers', 'How many keys are being reconciled.', ['controller'])
  const time = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Time that one reconciliation took.',
    labelNames: ['controller'],
    buckets: reconcileBuckets,
    registers,
  })

  const depth = gauge('workqueue_depth', 'Keys that are due and not taken.', ['name', 'controller'])
  const adds = counter('workqueue_adds_total', 'Keys added, also those that were there already.', ['name', 'controller'])
  const retries = counter('workqueue_retries_total', 'Keys added again after a failure.', ['name', 'controller'])
  const queued = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'From being due to being taken.',
    labelNames: ['name', 'controller'],
    buckets: queueBuckets,
    registers,
  })
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'From being taken to being done.',
    labelNames: ['name', 'controller'],
    buckets: queueBuckets,
    registers,
  })
  const perSource = (name: string, help: string, of: (seconds: readonly number[]) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['name', 'controller'],
      registers,
      collect() {
        for (const source of sources.values()) this.set({ name: source.name, controller: source.name }, of(source.workingSeconds()))
      },
    })
  perSource('workqueue_unfinished_work_seconds', 'Time spent so far on the keys being worked on, together.', (seconds) =>
    seconds.reduce((sum, each) => sum + each, 0),
  )
  perSource('workqueue_longest_running_processor_seconds', 'Time spent so far on the key that has taken longest.', (seconds) =>
    Math.max(0, ...seconds),
  )

  return (source) => {
    sources.set(source.name, source)
    const controller = { controller: source.name }
    const queue = { name: source.name, controller: source.name }
    for (const result of ['success', 'error', 'requeue', 'requeue_after']) total.inc({ ...controller, result }, 0)
    for (const each of [errors, ...Object.values(failures), fallbacks]) each.inc(controller, 0)
    for (const each of [adds, retries]) each.inc(queue, 0)
    for (const each of [queued, worked]) each.zero(queue)
    time.zero(controller)
    depth.set(queue, 0)
    active.set(controller, 0)
    maximum.set(controller, source.concurrency)
    return {
      onReconcile(outcome, seconds) {
        total.inc({ ...controller, result: outcome })
        time.observe(controller, seconds)
      },
      onFailure(kind) {
        errors.inc(controller)
        if (kind !== 'error') failures[kind].inc(controller)
      },
      onActive: (workers) => active.set(controller, workers),
      onFallback: (keys) => fallbacks.inc(controller, keys),
      onDepth: (keys) => depth.set(queue, keys),
      onAdd: () => adds.inc(queue),
      onTaken: (seconds) => queued.observe(queue, seconds),
      onDone: (seconds) => worked.observe(queue, seconds),
      onRetry: () => retries.inc(queue),
    }
  }
}
