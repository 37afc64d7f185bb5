/** What people read about a queue: pure, from a world to a status. */
import {
  keepCondition,
  kubeTime,
  queueCondition,
  setConditions,
  type TaskQueue,
  type TaskQueueStatus,
  type WantedCondition,
} from '../../api/index.ts'
import { describeSituation, type RecordWords, type Situation } from '../../services/engine/index.ts'
import type { World } from './gather.ts'

export function statusOf(world: World): TaskQueueStatus {
  const { queue, status, nowMs } = world
  const conditions = [...health(world), ...drift(world), ...overridden(world)]
  return {
    ...counts(world),
    observedGeneration: queue.metadata.generation ?? 0,
    conditions: setConditions(status?.conditions, conditions, nowMs, queue.metadata.generation),
  }
}

/** A status is written at once when this changes; numbers change all the time, and are gauges. */
export function transitionOf(status: TaskQueueStatus): unknown {
  const { observedGeneration, limit, suspended } = status
  return [observedGeneration, limit, suspended, status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])]
}

/** Whether jobs run, or could. */
export function hasJobs({ ready = 0, active = 0 }: TaskQueueStatus): boolean {
  return ready + active > 0
}

/** If the queue cannot be read, its numbers stay as they were. */
function counts({ status, reading, rates, situation, suspension, queue }: World): Partial<TaskQueueStatus> {
  if (reading === undefined) {
    const { conditions: _, ...known } = status ?? {}
    return known
  }
  const { waiting, prioritized, dueDelayed, active, delayed, failed, oldestReadyAtMs, concurrency, paused } = reading
  const byUs = situation.kind === 'Applied' ? situation.pausedByUs : queue.spec.suspend || suspension.isSuspended
  return {
    ready: rounded(waiting + prioritized + dueDelayed),
    active,
    delayed: rounded(delayed - dueDelayed),
    failed: rounded(failed),
    ...(oldestReadyAtMs === undefined ? {} : { oldestJobTime: kubeTime(oldestReadyAtMs) }),
    ...(rates === undefined
      ? {}
      : { arrivalsPerMinute: rounded(rates.arrivalsPerMinute), departuresPerMinute: rounded(rates.departuresPerMinute) }),
    ...(concurrency === undefined ? {} : { limit: concurrency }),
    suspended: !paused ? 'No' : !byUs ? 'ByOthers' : suspension.override === undefined ? 'Yes' : 'Override',
  }
}

function health({ queue, situation, suspension }: World): readonly WantedCondition[] {
  switch (situation.kind) {
    case 'NoBroker':
    case 'NotUsable':
    case 'Unreachable':
    case 'Unreadable':
    case 'Pending':
    case 'Standby':
      return obstructed(situation, queue)
    case 'Conflict': {
      const message = `${situation.owner} configures queue "${queue.spec.queueName}", so nothing of this one is applied. Next: delete one of the two`
      return [queueCondition('Ready', 'PolicyConflict', message), queueCondition('Stalled', 'PolicyConflict', message)]
    }
    case 'Applied': {
      if (!suspension.isSuspended) return [queueCondition('Ready', 'Applied', 'the declared settings are applied')]
      const why = suspension.override === undefined ? 'spec.suspend is true' : `spec.override: ${suspension.override}`
      return [queueCondition('Ready', 'Suspended', `${why}: running jobs end, no other job starts`)]
    }
  }
}

const recordWords: RecordWords<'SettingsUnreadable'> = {
  verb: 'apply',
  unreadable: { reason: 'SettingsUnreadable', next: 'run that version' },
}

function obstructed(situation: Situation, { spec }: TaskQueue): readonly WantedCondition[] {
  const { reason, message, meanwhile } = describeSituation(situation, spec.brokerRef.name, recordWords)
  const ready = queueCondition('Ready', reason, message)
  if (meanwhile === undefined) return [ready]
  if (meanwhile === 'Stalled') return [ready, queueCondition('Stalled', 'SettingsUnreadable', message)]
  return [ready, queueCondition('Reconciling', meanwhile, message)]
}

function drift({ queue, situation, status }: World): readonly WantedCondition[] {
  // Nobody here declares anything for it.
  if (situation.kind === 'Standby' || situation.kind === 'Conflict') return []
  if (situation.kind !== 'Applied') return [keepCondition(status?.conditions, 'Drifted')].filter((kept) => kept !== undefined)
  if (!situation.paused || situation.pausedByUs) return [queueCondition('Drifted', 'AsDeclared', 'the queue has the declared state')]
  const message = `someone paused queue "${queue.spec.queueName}" by other means; the operator leaves it paused. Next: resume it where it was paused`
  return [queueCondition('Drifted', 'PausedByOthers', message)]
}

function overridden({ suspension }: World): readonly WantedCondition[] {
  return suspension.override === undefined ? [] : [queueCondition('Overridden', 'OverrideActive', suspension.override)]
}

/** Three digits: more would only cause more writes. */
function rounded(count: number): number {
  return Number(Math.max(0, count).toPrecision(3))
}
