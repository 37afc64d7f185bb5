/** What schedules, runs and graphs report. */
import { declareMetrics } from '../declaration.ts'

export const scheduleMetrics = declareMetrics({
  title: 'Schedules',
  about:
    'Of each TaskSchedule, from the moment that the operator knows it. Its runs by outcome, its missed slots by reason and its delays are counted for the namespace, see Runs; `kubectl describe tsch` has those of one schedule.',
  owners: ['TaskSchedule'],
  object: ['namespace', 'schedule'],
  detail: ['schedule'],
  metrics: {
    taskmill_schedule_next_run_timestamp_seconds: {
      type: 'Gauge',
      help: 'When the next run of a TaskSchedule is due (Unix seconds); missing when there is none, and while it is suspended.',
      // Of next_run and suspended an object has one.
      most: 0,
      together: 'min',
    },
    taskmill_schedule_last_success_timestamp_seconds: {
      type: 'Gauge',
      help: 'When a run of a TaskSchedule succeeded last (Unix seconds); its creation until one has.',
      together: 'min',
      advice: 'Compare it with how often the schedule has to succeed. A success that is missing shows also when nothing ran at all.',
    },
    taskmill_schedule_consecutive_failures: {
      type: 'Gauge',
      help: 'Runs of a TaskSchedule that failed since the last one that succeeded.',
      omitsZero: true,
      together: 'max',
      advice: 'Above 0: `kubectl describe tsch` has what the last run said.',
    },
    taskmill_schedule_active_runs: {
      type: 'Gauge',
      help: 'Runs of a TaskSchedule that were dispatched and have no final outcome yet.',
      omitsZero: true,
    },
    taskmill_schedule_suspended: {
      type: 'Gauge',
      help: '1 while a TaskSchedule is suspended, by its spec or by an override.',
      omitsZero: true,
    },
    taskmill_schedule_unplanned_misses_total: {
      type: 'Counter',
      help: 'Slots of a TaskSchedule that were not dispatched although nobody had suspended, changed or skipped them.',
      advice: 'More: `kubectl describe tsch` says why. Runs take longer than the interval, or the operator or the broker was away.',
    },
  },
})

/** How many values their labels have; the values are those of `graph` and `scheduling`. */
const [sources, runOutcomes, scheduleOutcomes, missedReasons] = [4, 5, 12, 9]

/** 5 ms to a day. */
const runBuckets = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30, 120, 600, 1800, 3600, 14_400, 86_400]

/** Runs come and go, and counts by outcome are many for each schedule, so both are counted for their namespace. */
export const runMetrics = declareMetrics({
  title: 'Runs',
  about:
    'Of all TaskExecutions, TaskSchedules and TaskDependencies of a namespace, as long as it has a TaskBroker. The `source` of a TaskExecution is what it runs: Task, Job, TaskSchedule (its template) or TaskDependency (a graph).',
  owners: ['Namespace'],
  object: ['namespace'],
  metrics: {
    taskmill_execution_runs_total: {
      type: 'Counter',
      help: 'TaskExecutions that ended, by outcome: Succeeded, Failed, TimedOut, Cancelled, Skipped.',
      labels: ['source', 'outcome'],
      most: sources * runOutcomes,
      advice: '`kubectl get tex` shows those that failed, as long as they are kept; `kubectl describe tex` what they said.',
    },
    taskmill_execution_duration_seconds: {
      type: 'Histogram',
      help: 'From the begin of a run to its end.',
      labels: ['source'],
      most: sources,
      buckets: runBuckets,
    },
    taskmill_execution_queue_seconds: {
      type: 'Histogram',
      help: 'From the begin of a run to the moment that a worker started its first job.',
      labels: ['source'],
      most: sources,
      buckets: runBuckets,
      advice: 'Long: workers are missing or busy. See the pool that consumes its queue.',
    },
    taskmill_schedule_runs_total: {
      type: 'Counter',
      help: 'Runs of TaskSchedules that ended, by outcome: Succeeded, Replaced, or why they failed.',
      labels: ['outcome'],
      most: scheduleOutcomes,
    },
    taskmill_schedule_missed_total: {
      type: 'Counter',
      help: 'Slots of TaskSchedules that were not dispatched, by reason. After a long outage at most 100 slots of cron expressions, or with calendars, are counted; those of an interval all are.',
      labels: ['reason'],
      most: missedReasons,
      advice:
        'Overlap and QueueFull: runs take longer than the interval. Others but Suspended, ScheduleChanged, Skipped and Superseded: the operator or the broker was away. taskmill_schedule_unplanned_misses_total names the schedule.',
    },
    taskmill_schedule_dispatch_delay_seconds: {
      type: 'Histogram',
      help: 'From the moment at which a run is due (its slot, with its delay by jitterSeconds) to its job in the queue; 0 for a job that was placed ahead.',
      // From a thousandth of a second to what an outage makes of it.
      buckets: [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600, 3600],
    },
    taskmill_schedule_start_delay_seconds: {
      type: 'Histogram',
      help: 'From the moment at which a run is due to its start by a worker or a pod, counted when the run ends. Runs that were tried more than once are not counted.',
      buckets: [0.025, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600, 3600],
      advice: 'Long, while the delay of the dispatch is short: workers are missing or busy. See the pools of the queues.',
    },
    taskmill_dependency_nodes_total: {
      type: 'Counter',
      help: 'Nodes in runs of TaskDependencies that ended, by their outcome; counted when the run ends.',
      labels: ['outcome'],
      most: runOutcomes + 1,
    },
  },
})

export const dependencyMetrics = declareMetrics({
  title: 'Graphs',
  about: 'Of each TaskDependency.',
  owners: ['TaskDependency'],
  object: ['namespace', 'dependency'],
  detail: ['dependency'],
  metrics: {
    taskmill_dependency_nodes: { type: 'Gauge', help: 'Nodes of a TaskDependency, those of finally included.' },
    taskmill_dependency_active_runs: { type: 'Gauge', help: 'Runs of a TaskDependency that have not ended.', omitsZero: true },
    taskmill_dependency_runs_total: {
      type: 'Counter',
      help: 'Runs of a TaskDependency that ended, by outcome.',
      labels: ['outcome'],
      most: runOutcomes,
      advice: 'Failed or TimedOut: `kubectl describe tex` of the run has its table of nodes.',
    },
  },
})
