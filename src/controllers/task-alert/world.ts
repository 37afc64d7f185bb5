import type { AlertCondition, AlertRecord, ChannelRules, Facts, HeldBack, Measurement } from '../../alerting/index.ts'
import type { TaskAlert, TaskAlertStatus } from '../../api/index.ts'
import type { Fault } from '../../plans/index.ts'
import type { Delivery } from '../../services/notifications/index.ts'
import type { Suspension } from './suspension.ts'

/** Everything that a decision about one alert depends on, gathered before it is taken. */
export type World = {
  readonly alert: TaskAlert
  /** The status that was written last, which may be newer than the one in the cache. */
  readonly status: TaskAlertStatus | undefined
  readonly condition: AlertCondition
  readonly facts: Facts
  /** Whether the target is suspended on purpose, and when that changes by itself. */
  readonly suspension: Suspension
  /** What is wrong with the spec; the alert is judged all the same where that is possible. */
  readonly faults: readonly Fault<'InvalidMessage' | 'ContradictoryWindow'>[]
  /** Those of channelRefs, in their order; undefined: there is none of that name. */
  readonly channels: ReadonlyMap<string, ChannelRules>
  /** What has become of the last notification to each channel since, as far as this process sent it. */
  readonly deliveries: ReadonlyMap<string, Delivery>
  readonly nowMs: number
}

/** What came of it. */
export type Judgement = { readonly measurement: Measurement; readonly record: AlertRecord; readonly heldBack: readonly HeldBack[] }

/** What the alert's status remembers. */
export function recordOf({ status, nowMs }: Pick<World, 'status' | 'nowMs'>, newRecord: (nowMs: number) => AlertRecord): AlertRecord {
  if (status?.state === undefined) return newRecord(nowMs)
  const [suspendedAtMs, resumedAtMs] = [timeOf(status.suspendedTime), timeOf(status.resumedTime)]
  return {
    phase: status.state === 'Unknown' ? 'Inactive' : status.state,
    sinceMs: timeOf(status.sinceTime) ?? nowMs,
    sequence: status.sequence ?? 0,
    transitions: (status.transitions ?? []).map(({ sequence, state, changeTime, value, amount }) => ({
      sequence,
      to: state,
      atMs: timeOf(changeTime) ?? 0,
      text: value,
      amount,
    })),
    told: (status.notifications ?? []).map(({ channel, sequence, state, decisionTime, firingTime, delivery, message }) => ({
      channel,
      sequence,
      to: state,
      atMs: timeOf(decisionTime) ?? 0,
      ...(firingTime === undefined ? {} : { firedAtMs: timeOf(firingTime) ?? 0 }),
      delivery,
      ...(message === undefined ? {} : { message }),
    })),
    ...(suspendedAtMs === undefined ? {} : { suspendedAtMs }),
    ...(resumedAtMs === undefined ? {} : { resumedAtMs }),
  }
}

function timeOf(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '')
  return Number.isNaN(ms) ? undefined : ms
}
