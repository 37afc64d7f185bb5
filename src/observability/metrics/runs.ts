import { declareMetrics } from '../declaration.ts'

/** 5 ms to a day. */
const runBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30, 120, 600, 1800, 3600, 14_400, 86_400]

/** Runs come and go, so they are counted for their namespace. */
export const runMetrics = declareMetrics({
  title: 'Runs',
  about:
    'Of all TaskExecutions of a namespace, as long as it has a TaskBroker; by what they run: Task, TaskSchedule (its template) or TaskDependency (a graph).',
  owners: ['Namespace'],
  object: ['namespace'],
  metrics: {
    taskmill_execution_runs_total: {
      type: 'Counter',
      help: 'TaskExecutions that ended, by outcome: Succeeded, Failed, TimedOut, Cancelled, Skipped.',
      labels: ['source', 'outcome'],
      advice: '`kubectl get tex` shows those that failed, as long as they are kept; `kubectl describe tex` what they said.',
    },
    taskmill_execution_duration_seconds: {
      type: 'Histogram',
      help: 'From the begin of a run to its end.',
      labels: ['source'],
      buckets: runBuckets,
    },
    taskmill_execution_queue_seconds: {
      type: 'Histogram',
      help: 'From the begin of a run to the moment that a worker started its first job.',
      labels: ['source'],
      buckets: runBuckets,
      advice: 'Long: workers are missing or busy. See the pool that consumes its queue.',
    },
  },
})

export const dependencyMetrics = declareMetrics({
  title: 'Graphs',
  about: 'Of each TaskDependency.',
  owners: ['TaskDependency'],
  object: ['namespace', 'dependency'],
  metrics: {
    taskmill_dependency_nodes: { type: 'Gauge', help: 'Nodes of a TaskDependency, those of finally included.' },
    taskmill_dependency_active_runs: { type: 'Gauge', help: 'Runs of a TaskDependency that have not ended.' },
    taskmill_dependency_runs_total: {
      type: 'Counter',
      help: 'Runs of a TaskDependency that ended, by outcome.',
      labels: ['outcome'],
      advice: 'Failed or TimedOut: `kubectl describe tex` of the run has its table of nodes.',
    },
    taskmill_dependency_nodes_total: {
      type: 'Counter',
      help: 'Nodes in runs of a TaskDependency that ended, by their outcome; counted when the run ends.',
      labels: ['outcome'],
    },
  },
})
