/** Metrics of schedules. All series of a schedule are removed when it goes (`forgetSchedule`). */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type ScheduleLabels = { readonly namespace: string; readonly schedule: string }

export type ScheduleMetrics = {
  /** Undefined: there is none. Unix seconds. */
  scheduleTimes(labels: ScheduleLabels, times: { readonly next: number | undefined; readonly last: number | undefined }): void
  slotDispatched(labels: ScheduleLabels, delaySeconds: number): void
  slotsMissed(labels: ScheduleLabels, reason: string, count: number): void
  runEnded(labels: ScheduleLabels, outcome: string): void
  forgetSchedule(labels: ScheduleLabels): void
}

/** From a thousandth of a second to what an outage makes of it. */
const delayBuckets = [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600, 3600]

export function createScheduleMetrics(registry: Registry): ScheduleMetrics {
  const registers = [registry]
  const labelNames = ['namespace', 'schedule'] as const
  const nextRun = new Gauge({
    name: 'taskmill_schedule_next_run_timestamp_seconds',
    help: 'The next slot of a TaskSchedule (Unix seconds); missing when there is none.',
    labelNames,
    registers,
  })
  const lastRun = new Gauge({
    name: 'taskmill_schedule_last_run_timestamp_seconds',
    help: 'The newest slot of a TaskSchedule that was dispatched (Unix seconds).',
    labelNames,
    registers,
  })
  const missed = new Counter({
    name: 'taskmill_schedule_missed_total',
    help: 'Slots of a TaskSchedule that were not dispatched, by reason.',
    labelNames: [...labelNames, 'reason'],
    registers,
  })
  const delay = new Histogram({
    name: 'taskmill_schedule_dispatch_delay_seconds',
    help: 'From the moment of a slot to its job in the queue; 0 for a job that was placed ahead.',
    labelNames,
    buckets: delayBuckets,
    registers,
  })
  const runs = new Counter({
    name: 'taskmill_schedule_runs_total',
    help: 'Runs of a TaskSchedule that ended, by outcome.',
    labelNames: [...labelNames, 'outcome'],
    registers,
  })
  /** Values of the third label that a schedule has had, so that its series can be removed. */
  const told = new Map<string, { readonly reasons: Set<string>; readonly outcomes: Set<string> }>()

  const toldOf = ({ namespace, schedule }: ScheduleLabels) => {
    const key = `${namespace}/${schedule}`
    const entry = told.get(key) ?? { reasons: new Set<string>(), outcomes: new Set<string>() }
    told.set(key, entry)
    return entry
  }
  const setOrRemove = (gauge: typeof nextRun, labels: ScheduleLabels, value: number | undefined) => {
    if (value === undefined) gauge.remove(labels)
    else gauge.set(labels, value)
  }

  return {
    scheduleTimes(labels, { next, last }) {
      setOrRemove(nextRun, labels, next)
      setOrRemove(lastRun, labels, last)
    },
    slotDispatched: (labels, delaySeconds) => delay.observe(labels, delaySeconds),
    slotsMissed(labels, reason, count) {
      toldOf(labels).reasons.add(reason)
      missed.inc({ ...labels, reason }, count)
    },
    runEnded(labels, outcome) {
      toldOf(labels).outcomes.add(outcome)
      runs.inc({ ...labels, outcome })
    },
    forgetSchedule(labels) {
      const { reasons, outcomes } = toldOf(labels)
      for (const reason of reasons) missed.remove({ ...labels, reason })
      for (const outcome of outcomes) runs.remove({ ...labels, outcome })
      for (const metric of [nextRun, lastRun, delay]) metric.remove(labels)
      told.delete(`${labels.namespace}/${labels.schedule}`)
    },
  }
}
