/** What schedules, runs and graphs report. */
import { declareMetrics } from '../declaration.ts'

export const scheduleMetrics = declareMetrics({
  title: 'Schedules',
  about: 'Of each TaskSchedule, from the moment that the operator knows it: a schedule that never succeeded has all of its series.',
  owners: ['TaskSchedule'],
  object: ['namespace', 'schedule'],
  metrics: {
    taskmill_schedule_next_run_timestamp_seconds: {
      type: 'Gauge',
      help: 'The next slot of a TaskSchedule (Unix seconds); missing when there is none.',
    },
    taskmill_schedule_last_run_timestamp_seconds: {
      type: 'Gauge',
      help: 'The newest slot of a TaskSchedule that was dispatched (Unix seconds).',
    },
    taskmill_schedule_last_success_timestamp_seconds: {
      type: 'Gauge',
      help: 'When a run of a TaskSchedule succeeded last (Unix seconds); its creation until one has.',
      advice: 'Compare it with how often the schedule has to succeed. A success that is missing shows also when nothing ran at all.',
    },
    taskmill_schedule_consecutive_failures: {
      type: 'Gauge',
      help: 'Runs of a TaskSchedule that failed since the last one that succeeded.',
      advice: 'Above 0: `kubectl describe tsch` has what the last run said.',
    },
    taskmill_schedule_active_runs: { type: 'Gauge', help: 'Runs of a TaskSchedule that were dispatched and have no final outcome yet.' },
    taskmill_schedule_suspended: { type: 'Gauge', help: '1 while a TaskSchedule is suspended, by its spec or by an override, else 0.' },
    taskmill_schedule_runs_total: {
      type: 'Counter',
      help: 'Runs of a TaskSchedule that ended, by outcome: Succeeded, or why they failed.',
      labels: ['outcome'],
    },
    taskmill_schedule_missed_total: {
      type: 'Counter',
      help: 'Slots of a TaskSchedule that were not dispatched, by reason.',
      labels: ['reason'],
      advice: 'Overlap: runs take longer than the interval. Others but Suspended and ScheduleChanged: the operator or the broker was away.',
    },
    taskmill_schedule_dispatch_delay_seconds: {
      type: 'Histogram',
      help: 'From the moment of a slot to its job in the queue; 0 for a job that was placed ahead.',
      // From a thousandth of a second to what an outage makes of it.
      buckets: [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600, 3600],
    },
  },
})

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
