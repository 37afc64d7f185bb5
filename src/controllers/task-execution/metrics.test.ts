import { expect, it } from 'vitest'
import type { TaskExecution, TaskExecutionStatus } from '../../api/index.ts'
import { createMetrics } from '../../observability/index.ts'
import { countRun, openRun } from './metrics.ts'

const runOf = (spec: object) => ({ metadata: { namespace: 'acme', name: 'x7k2p' }, spec }) as unknown as TaskExecution
const statusOf = (status: object) => ({ observedGeneration: 1, ...status }) as unknown as TaskExecutionStatus

async function tell(spec: object, status: object | undefined, dependency?: string): Promise<readonly string[]> {
  const metrics = createMetrics({ now: () => 0 })
  openRun(metrics, runOf(spec), dependency)
  if (status !== undefined) countRun(metrics, runOf(spec), statusOf(status))
  const text = await metrics.render()
  return text.split('\n').filter((line) => /^taskmill_(?:execution|dependency)_/u.test(line) && !line.includes('_bucket'))
}

it('all series of the counts exist from the first run on, at 0', async () => {
  const lines = await tell({ task: { type: 't' } }, undefined)
  expect(lines).toContain('taskmill_execution_runs_total{namespace="acme",source="Task",outcome="Failed"} 0')
  expect(lines.every((line) => line.endsWith(' 0'))).toBe(true)
})

it('an end counts once, with its times, and never by the name of the run', async () => {
  const lines = await tell({ scheduleRef: { name: 's' } }, { state: 'TimedOut', durationSeconds: 90, queueSeconds: 2 })
  expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([
    'taskmill_execution_runs_total{namespace="acme",source="TaskSchedule",outcome="TimedOut"} 1',
    'taskmill_execution_duration_seconds_sum{namespace="acme",source="TaskSchedule"} 90',
    'taskmill_execution_duration_seconds_count{namespace="acme",source="TaskSchedule"} 1',
    'taskmill_execution_queue_seconds_sum{namespace="acme",source="TaskSchedule"} 2',
    'taskmill_execution_queue_seconds_count{namespace="acme",source="TaskSchedule"} 1',
  ])
  expect(lines.join()).not.toContain('x7k2p')
})

it('a run of a graph counts for the graph too, and so do its nodes', async () => {
  const nodes = ['Succeeded', 'Succeeded', 'Failed', 'Omitted'].map((state, index) => ({ name: `n${index}`, state }))
  const lines = await tell({ dependencyRef: { name: 'g' } }, { state: 'Failed', nodes, dependency: 'g' }, 'g')
  expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([
    'taskmill_execution_runs_total{namespace="acme",source="TaskDependency",outcome="Failed"} 1',
    'taskmill_dependency_nodes_total{namespace="acme",outcome="Succeeded"} 2',
    'taskmill_dependency_nodes_total{namespace="acme",outcome="Failed"} 1',
    'taskmill_dependency_nodes_total{namespace="acme",outcome="Omitted"} 1',
    'taskmill_dependency_runs_total{namespace="acme",dependency="g",outcome="Failed"} 1',
  ])
})
