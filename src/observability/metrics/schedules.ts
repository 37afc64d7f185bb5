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
