import { type AlertCondition, duration, type Facts, momentOf, type Suspended, type UnknownReason, type Waiting } from './condition.ts'

/** The value of a condition now, or why it cannot be known. */
export type Measurement =
  | {
      readonly known: true
      /** The threshold is crossed. */
      readonly holds: boolean
      /** For people; the same as long as nothing happens, though time passes. */
      readonly text: string
      /** The bare number, in the unit of the threshold. */
      readonly amount: string
      /** When the answer becomes another one by time alone (Unix ms). */
      readonly changesAtMs?: number
    }
  | { readonly known: false; readonly reason: UnknownReason; readonly message: string }

/** A window ends with the present minute, which is not over: it reaches up to a minute further back than it says, and never less far. */
export function minutesOf(windowSeconds: number, nowMs: number): { readonly fromMinute: number; readonly toMinute: number } {
  const now = Math.floor(nowMs / 60_000)
  return { fromMinute: now - Math.ceil(windowSeconds / 60), toMinute: now }
}

/** Pure: the same facts at the same time give the same answer. While the target is suspended on purpose, what is above the threshold is not judged. */
export function measure(condition: AlertCondition, facts: Facts, nowMs: number, suspended?: Suspended): Measurement {
  if (facts.kind === 'Unknown') return { known: false, reason: facts.reason, message: facts.message }
  const found = lostFrom(facts, measureFacts(condition, facts, nowMs), condition)
  return suspended === undefined ? found : excused(found, suspended)
}

/** Of counts of which a part is lost, only that they are above a threshold is certain; of a rate, nothing is. */
function lostFrom(facts: Facts, found: Measurement, condition: AlertCondition): Measurement {
  if (facts.kind !== 'Counts' && facts.kind !== 'Successes') return found
  const { lostUntilMs } = facts
  if (lostUntilMs === undefined || !found.known) return found
  const isCertain = facts.kind === 'Successes' ? !found.holds : found.holds && condition.kind !== 'FailureRate'
  if (isCertain) return found
  const known = facts.kind === 'Counts' ? `at least ${found.text}` : found.text
  const message = `${known}; the broker has lost a part of what it had counted, and all of it is known again at ${momentOf(lostUntilMs)}`
  return { known: false, reason: 'CountsLost', message }
}

function excused(found: Measurement, { words }: Suspended): Measurement {
  if (!found.known || !found.holds) return found
  return { known: false, reason: 'TargetSuspended', message: `${found.text}, but ${words}` }
}

function measureFacts(condition: AlertCondition, facts: Facts, nowMs: number): Measurement {
  switch (condition.kind) {
    case 'TaskFailures': {
      const { failed, succeeded } = expected(facts, 'Counts')
      const text = `${plural(failed, 'failure')} of ${plural(failed + succeeded, 'run')}`
      return { known: true, holds: failed > condition.moreThan, text, amount: String(failed) }
    }
    case 'FailureRate':
      return failureRate(condition, expected(facts, 'Counts'))
    case 'ScheduleMissed': {
      const { missed } = expected(facts, 'Counts')
      return { known: true, holds: missed > condition.moreThan, text: `${plural(missed, 'slot')} missed`, amount: String(missed) }
    }
    case 'QueueBacklog':
      return withoutSuspended(expected(facts, 'Backlog'), ({ jobs }) => ({
        known: true,
        holds: jobs > condition.above,
        text: `${plural(jobs, 'job')} waiting`,
        amount: String(jobs),
      }))
    case 'QueueLatency':
      return withoutSuspended(expected(facts, 'Backlog'), (waiting) => latency(condition, waiting, nowMs))
    case 'NoSuccess':
      return noSuccess(condition, expected(facts, 'Successes'), nowMs)
  }
}

function failureRate(
  { abovePercent, minimumRuns }: Extract<AlertCondition, { readonly kind: 'FailureRate' }>,
  { failed, succeeded }: Extract<Facts, { readonly kind: 'Counts' }>,
): Measurement {
  const runs = failed + succeeded
  if (runs < minimumRuns || runs === 0) {
    const message = `${plural(runs, 'run')} ended, a rate takes ${Math.max(1, minimumRuns)}`
    return { known: false, reason: 'TooFewRuns', message }
  }
  const percent = String(Number(((100 * failed) / runs).toFixed(1)))
  return { known: true, holds: failed * 100 > abovePercent * runs, text: `${percent}% (${failed}/${runs})`, amount: percent }
}

/** What waits on purpose is no reason to fire; where only that is above the threshold, it is no reason for an all-clear either. */
function withoutSuspended(
  { suspended, ...waiting }: Extract<Facts, { readonly kind: 'Backlog' }>,
  judge: (waiting: Waiting) => Measurement,
): Measurement {
  const found = judge(waiting)
  if (suspended === undefined || !found.known || found.holds) return found
  const oldest = Math.min(waiting.oldestReadyAtMs ?? Infinity, suspended.oldestReadyAtMs ?? Infinity)
  const all = judge({ jobs: waiting.jobs + suspended.jobs, oldestReadyAtMs: oldest === Infinity ? undefined : oldest })
  const judged = excused(all, suspended)
  if (!judged.known) return judged
  return judged.changesAtMs === undefined ? found : { ...found, changesAtMs: Math.min(found.changesAtMs ?? Infinity, judged.changesAtMs) }
}

function latency(
  { aboveSeconds }: Extract<AlertCondition, { readonly kind: 'QueueLatency' }>,
  { jobs, oldestReadyAtMs }: Waiting,
  nowMs: number,
): Measurement {
  if (oldestReadyAtMs === undefined) return { known: true, holds: false, text: 'no job waits', amount: '0' }
  // The age grows without news; what it began with does not.
  const text = `oldest of ${plural(jobs, 'job')} waits since ${momentOf(oldestReadyAtMs)}`
  return { ...crossing(oldestReadyAtMs, aboveSeconds, nowMs), known: true, text }
}

function noSuccess(
  { windowSeconds }: Extract<AlertCondition, { readonly kind: 'NoSuccess' }>,
  { createdAtMs, resumedAtMs = 0, lastSuccessAtMs, counted }: Extract<Facts, { readonly kind: 'Successes' }>,
  nowMs: number,
): Measurement {
  const runsSinceMs = Math.max(createdAtMs, lastSuccessAtMs ?? 0)
  const sinceMs = Math.max(runsSinceMs, resumedAtMs)
  const told =
    lastSuccessAtMs === undefined ? `no success since its creation ${momentOf(createdAtMs)}` : `last success ${momentOf(runsSinceMs)}`
  const text = resumedAtMs > runsSinceMs ? `${told}, suspended until ${momentOf(resumedAtMs)}` : told
  const { holds, amount, changesAtMs } = crossing(sinceMs, windowSeconds, nowMs)
  if (!holds) return { known: true, holds, text, amount, ...(changesAtMs === undefined ? {} : { changesAtMs }) }
  if (counted === undefined) {
    return { known: false, reason: 'BrokerUnreachable', message: `${text}; whether there was one since cannot be asked` }
  }
  // The count knows of a success that the schedule's status does not tell yet.
  if (counted > 0)
    return { known: true, holds: false, text: `${plural(counted, 'success', 'successes')} in ${duration(windowSeconds)}`, amount: '0' }
  return { known: true, holds, text, amount }
}

/** Whether an age is above its limit, in whole seconds, and when it will be. */
function crossing(sinceMs: number, limitSeconds: number, nowMs: number) {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000))
  const holds = seconds > limitSeconds
  return { holds, amount: String(seconds), ...(holds ? {} : { changesAtMs: sinceMs + (limitSeconds + 1) * 1000 }) }
}

function expected<K extends Facts['kind']>(facts: Facts, kind: K): Extract<Facts, { readonly kind: K }> {
  if (facts.kind !== kind) throw new TypeError(`facts of kind ${facts.kind}, ${kind} are needed`)
  return facts as Extract<Facts, { readonly kind: K }>
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/gu, ',')} ${count === 1 ? one : many}`
}
