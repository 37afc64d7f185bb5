/** What to do about one alert: pure, from a world to a plan. Read it from top to bottom: what came of the last notifications, what is the case, who is to be told. */
import {
  advance,
  type AlertRecord,
  decideNotifications,
  type Facts,
  measure,
  newRecord,
  type Told,
  type Transition,
  withDelivery,
  withSuspension,
} from '../../alerting/index.ts'
import type { TaskAlertStatus } from '../../api/index.ts'
import type { Delivery } from '../../services/notifications/index.ts'
import { quietOf } from './override.ts'
import { statusOf } from './status.ts'
import { clockTime } from './times.ts'
import { recordOf, type World } from './world.ts'

export type Plan = {
  /** To be stored before anything is sent. */
  readonly status: TaskAlertStatus
  readonly record: AlertRecord
  /** What became news now. */
  readonly transition?: Transition
  /** When the answer may change by time alone. */
  readonly againAfterMs?: number
}

export function decide(world: World): Plan {
  const { alert, condition, facts, suspension, nowMs } = world
  const { forSeconds, severity, cooldownSeconds } = alert.spec
  const quiet = quietOf(world)
  const remembered = withSuspension(heard(world), suspension.suspended !== undefined, nowMs)
  const measurement = measure(condition, since(facts, remembered), nowMs, suspension.suspended)
  const { record: judged, transition, againAtMs } = advance(remembered, measurement, forSeconds, nowMs)
  const notified = decideNotifications(judged, { severity, cooldownSeconds, channels: world.channels, quiet }, nowMs)
  const moments = [againAtMs, notified.againAtMs, quiet?.untilMs, suspension.changesAtMs].filter((each) => each !== undefined)
  return {
    status: statusOf(world, { measurement, ...notified }),
    record: notified.record,
    ...(transition === undefined ? {} : { transition }),
    ...(moments.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...moments) - nowMs) }),
  }
}

/** A success is expected from the end of a suspension on that was seen. */
function since(facts: Facts, { resumedAtMs }: AlertRecord): Facts {
  if (facts.kind !== 'Successes' || resumedAtMs === undefined) return facts
  return { ...facts, resumedAtMs: Math.max(resumedAtMs, facts.resumedAtMs ?? 0) }
}

/** The record, with what became of the notifications that were under way. */
function heard(world: World): AlertRecord {
  const before = recordOf(world, newRecord)
  let record = before
  for (const { channel, sequence, delivery } of before.told) {
    const news = world.deliveries.get(channel)
    const outcome = delivery === 'Pending' && news !== undefined ? outcomeOf(news) : undefined
    if (outcome !== undefined) record = withDelivery(record, channel, sequence, outcome)
  }
  return record
}

const longestMessage = 400

function outcomeOf(delivery: Delivery): Pick<Told, 'delivery' | 'message'> | undefined {
  switch (delivery.kind) {
    case 'Delivered':
      return { delivery: 'Delivered' }
    case 'GivenUp':
      return { delivery: 'GivenUp', message: `given up after ${delivery.attempts} attempts: ${cut(delivery.message)}` }
    case 'Waiting': {
      if (delivery.message === undefined) return undefined
      const retry = delivery.retryAtMs === undefined ? '' : `, retry ${clockTime(delivery.retryAtMs)}`
      // What to do stands at the end.
      const [why = '', ...next] = cut(delivery.message).split('. Next: ')
      return { delivery: 'Pending', message: [`${why}, attempt ${delivery.attempts}${retry}`, ...next].join('. Next: ') }
    }
  }
}

function cut(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`
}
