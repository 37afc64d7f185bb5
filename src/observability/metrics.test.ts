import { expect, test } from 'vitest'
import { createMetrics } from './index.ts'

const lines = async (metrics: ReturnType<typeof createMetrics>) =>
  (await metrics.render())
    .split('\n')
    .filter((line) => /^(?:controller_runtime|workqueue|leader_election|rest_client|taskmill)_/u.test(line))
const withoutBuckets = (all: readonly string[]) => all.filter((line) => !line.includes('_bucket{'))

test('all series of a controller, of the election and of the client exist from the start, at 0', async () => {
  const metrics = createMetrics({ now: () => 0 })
  metrics.controller({ name: 'c', concurrency: 8, workingSeconds: () => [] })
  metrics.election('l')
  metrics.apiRequests('h')
  expect(withoutBuckets(await lines(metrics)).toSorted()).toEqual([
    'controller_runtime_active_workers{controller="c"} 0',
    'controller_runtime_max_concurrent_reconciles{controller="c"} 8',
    'controller_runtime_reconcile_errors_total{controller="c"} 0',
    'controller_runtime_reconcile_panics_total{controller="c"} 0',
    'controller_runtime_reconcile_time_seconds_count{controller="c"} 0',
    'controller_runtime_reconcile_time_seconds_sum{controller="c"} 0',
    'controller_runtime_reconcile_timeouts_total{controller="c"} 0',
    'controller_runtime_reconcile_total{controller="c",result="error"} 0',
    'controller_runtime_reconcile_total{controller="c",result="requeue"} 0',
    'controller_runtime_reconcile_total{controller="c",result="requeue_after"} 0',
    'controller_runtime_reconcile_total{controller="c",result="success"} 0',
    'controller_runtime_terminal_reconcile_errors_total{controller="c"} 0',
    'leader_election_master_status{name="l"} 0',
    'leader_election_slowpath_total{name="l"} 0',
    'rest_client_requests_total{code="200",method="GET",host="h"} 0',
    'taskmill_fallback_reconciles_total{controller="c"} 0',
    'taskmill_leader_epoch{name="l"} 0',
    'workqueue_adds_total{name="c",controller="c"} 0',
    'workqueue_depth{name="c",controller="c"} 0',
    'workqueue_longest_running_processor_seconds{name="c",controller="c"} 0',
    'workqueue_queue_duration_seconds_count{name="c",controller="c"} 0',
    'workqueue_queue_duration_seconds_sum{name="c",controller="c"} 0',
    'workqueue_retries_total{name="c",controller="c"} 0',
    'workqueue_unfinished_work_seconds{name="c",controller="c"} 0',
    'workqueue_work_duration_seconds_count{name="c",controller="c"} 0',
    'workqueue_work_duration_seconds_sum{name="c",controller="c"} 0',
  ])
})

test('every hook moves its metric', async () => {
  const metrics = createMetrics({ now: () => 0 })
  const hooks = metrics.controller({ name: 'c', concurrency: 1, workingSeconds: () => [1, 3] })
  const before = new Set(await lines(metrics))
  hooks.onReconcile('error', 2)
  for (const kind of ['error', 'terminal', 'panic', 'timeout'] as const) hooks.onFailure(kind)
  hooks.onActive(1)
  hooks.onFallback(7)
  hooks.onDepth(4)
  hooks.onAdd()
  hooks.onTaken(0.5)
  hooks.onDone(1.5)
  hooks.onRetry()
  const election = metrics.election('l')
  election.onLeading(true)
  election.onSlowPath()
  election.onEpoch(9)
  metrics.apiRequests('h')({ method: 'PATCH', status: 'error' })
  const after = await lines(metrics)
  expect(withoutBuckets(after.filter((line) => !before.has(line))).toSorted()).toEqual([
    'controller_runtime_active_workers{controller="c"} 1',
    'controller_runtime_reconcile_errors_total{controller="c"} 4',
    'controller_runtime_reconcile_panics_total{controller="c"} 1',
    'controller_runtime_reconcile_time_seconds_count{controller="c"} 1',
    'controller_runtime_reconcile_time_seconds_sum{controller="c"} 2',
    'controller_runtime_reconcile_timeouts_total{controller="c"} 1',
    'controller_runtime_reconcile_total{controller="c",result="error"} 1',
    'controller_runtime_terminal_reconcile_errors_total{controller="c"} 1',
    'leader_election_master_status{name="l"} 1',
    'leader_election_slowpath_total{name="l"} 1',
    'rest_client_requests_total{code="200",method="GET",host="h"} 0',
    'rest_client_requests_total{code="<error>",method="PATCH",host="h"} 1',
    'taskmill_fallback_reconciles_total{controller="c"} 7',
    'taskmill_leader_epoch{name="l"} 9',
    'workqueue_adds_total{name="c",controller="c"} 1',
    'workqueue_depth{name="c",controller="c"} 4',
    'workqueue_queue_duration_seconds_count{name="c",controller="c"} 1',
    'workqueue_queue_duration_seconds_sum{name="c",controller="c"} 0.5',
    'workqueue_retries_total{name="c",controller="c"} 1',
    'workqueue_work_duration_seconds_count{name="c",controller="c"} 1',
    'workqueue_work_duration_seconds_sum{name="c",controller="c"} 1.5',
  ])
  expect(after).toContain('workqueue_unfinished_work_seconds{name="c",controller="c"} 4')
  expect(after).toContain('workqueue_longest_running_processor_seconds{name="c",controller="c"} 3')
})
