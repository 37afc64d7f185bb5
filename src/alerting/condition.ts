/**
 * The conditions of alerts: one entry per member of the API, with what is read for it, its limit in words, and how it is measured. An entry
 * that is missing does not compile. `api/kinds/alert-conditions.ts` has the fields of each.
 */
import type { AlertConditionName, TaskAlertSpec, WindowedConditionName } from '../api/index.ts'
import type { Facts, FactsKind, FactsOf, Measurement, Suspended, Waiting } from './facts.ts'
import { duration, momentOf, plural } from './words.ts'

type Window<K> = K extends WindowedConditionName ? { readonly windowSeconds: number } : unknown
type Flat<T> = { [K in keyof T]: T[K] }

/** What must not go wrong: one member of the spec, with its threshold. Windows are whole minutes, because runs are counted by the minute. */
export type AlertCondition = {
  [K in AlertConditionName]: Flat<{ readonly kind: K } & NonNullable<TaskAlertSpec[K]> & Window<K>>
}[AlertConditionName]

type Condition<K extends AlertConditionName> = Extract<AlertCondition, { readonly kind: K }>

type Rule<K extends AlertConditionName, F extends FactsKind> = {
  /** What has to be read. */
  readonly needs: F
  /** `> 10% in 5m`: the threshold in words. */
  limit(condition: Condition<K>): string
  /** The value is a moment in words, so that a comma stands before the limit. */
  readonly isMoment: boolean
  measure(condition: Condition<K>, facts: FactsOf<F>, nowMs: number): Measurement
  /** Whether the answer is right although the broker has lost a part of its counts, so that there were at least so many. */
  isCertainDespiteLoss(holds: boolean): boolean
}

type AnyRule = Rule<AlertConditionName, FactsKind>
type RuleOf<K extends AlertConditionName> = { [F in FactsKind]: Rule<K, F> }[FactsKind]

const rules: { readonly [K in AlertConditionName]: RuleOf<K> } = {
  taskFailures: {
    needs: 'Counts',
    limit: ({ moreThan, windowSeconds }) => `> ${moreThan} in ${duration(windowSeconds)}`,
    isMoment: false,
    isCertainDespiteLoss: (holds) => holds,
    measure({ moreThan }, { failed, succeeded }) {
      const text = `${plural(failed, 'failure')} of ${plural(failed + succeeded, 'run')}`
      return { known: true, holds: failed > moreThan, text, amount: String(failed) }
    },
  },
  failureRate: {
    needs: 'Counts',
    limit: ({ abovePercent, windowSeconds }) => `> ${abovePercent}% in ${duration(windowSeconds)}`,
    isMoment: false,
    // Successes can be missing as well as failures: the rate can be lower or higher.
    isCertainDespiteLoss: () => false,
    measure({ abovePercent, minimumRuns }, { failed, succeeded }) {
      const runs = failed + succeeded
      if (runs < minimumRuns || runs === 0) {
        const message = `${plural(runs, 'run')} ended, a rate takes ${Math.max(1, minimumRuns)}`
        return { known: false, reason: 'TooFewRuns', message }
      }
      const percent = String(Number(((100 * failed) / runs).toFixed(1)))
      return { known: true, holds: failed * 100 > abovePercent * runs, text: `${percent}% (${failed}/${runs})`, amount: percent }
    },
  },
  queueBacklog: {
    needs: 'Backlog',
    limit: ({ above }) => `> ${above}`,
    isMoment: false,
    isCertainDespiteLoss: () => true,
    measure: ({ above }, facts) =>
      withoutSuspended(facts, ({ jobs }) => ({
        known: true,
        holds: jobs > above,
        text: `${plural(jobs, 'job')} waiting`,
        amount: String(jobs),
      })),
  },
  queueLatency: {
    needs: 'Backlog',
    limit: ({ aboveSeconds }) => `longer than ${duration(aboveSeconds)}`,
    isMoment: true,
    isCertainDespiteLoss: () => true,
    measure: ({ aboveSeconds }, facts, nowMs) =>
      withoutSuspended(facts, ({ jobs, oldestReadyAtMs }) => {
        if (oldestReadyAtMs === undefined) return { known: true, holds: false, text: 'no job waits', amount: '0' }
        // The text has the moment, not the age, which grows all the time.
        const text = `oldest of ${plural(jobs, 'job')} waits since ${momentOf(oldestReadyAtMs)}`
        return { ...crossing(oldestReadyAtMs, aboveSeconds, nowMs), known: true, text }
      }),
  },
  scheduleMissed: {
    needs: 'Counts',
    limit: ({ moreThan, windowSeconds }) => `> ${moreThan} in ${duration(windowSeconds)}`,
    isMoment: false,
    isCertainDespiteLoss: (holds) => holds,
    measure: ({ moreThan }, { missed }) => ({
      known: true,
      holds: missed > moreThan,
      text: `${plural(missed, 'slot')} missed`,
      amount: String(missed),
    }),
  },
  noSuccess: {
    needs: 'Successes',
    limit: ({ windowSeconds }) => `longer ago than ${duration(windowSeconds)}`,
    isMoment: true,
    isCertainDespiteLoss: (holds) => !holds,
    measure: measureNoSuccess,
  },
}

/** What has to be read for a condition. */
export function factsFor({ kind }: AlertCondition): FactsKind {
  return rules[kind].needs
}

/** `> 10% in 5m`: the threshold in words. */
export function limitOf(condition: AlertCondition): string {
  return ruleOf(condition).limit(condition)
}

/** A value above its threshold: `23% (69/300) > 10% in 5m`, `last success 2026-11-29T01:00:00Z, longer ago than 1h`. */
export function crossedText(condition: AlertCondition, text: string): string {
  return `${text}${rules[condition.kind].isMoment ? ',' : ''} ${limitOf(condition)}`
}

/** A window ends with the present minute, which is not over: it reaches up to a minute further back than it says, and never less far. */
export function minutesOf(windowSeconds: number, nowMs: number): { readonly fromMinute: number; readonly toMinute: number } {
  const now = Math.floor(nowMs / 60_000)
  return { fromMinute: now - Math.ceil(windowSeconds / 60), toMinute: now }
}

/**
 * The value of a condition: the same for the same facts at the same time. While the target is suspended, a crossed threshold is unknown.
 * Throws a TypeError on facts of another kind than the condition needs.
 */
export function measure(condition: AlertCondition, facts: Facts, nowMs: number, suspended?: Suspended): Measurement {
  if (facts.kind === 'Unknown') return { known: false, reason: facts.reason, message: facts.message }
  const rule = ruleOf(condition)
  if (facts.kind !== rule.needs) throw new TypeError(`facts of kind ${facts.kind}, ${rule.needs} are needed`)
  const found = withLoss(rule, facts, rule.measure(condition, facts, nowMs))
  return suspended === undefined ? found : excused(found, suspended)
}

/** While the broker has lost a part of its counts, only an answer that is right with more of them, too, is an answer. */
function withLoss(rule: AnyRule, facts: FactsOf<FactsKind>, found: Measurement): Measurement {
  const lostUntilMs = facts.kind === 'Backlog' ? undefined : facts.lostUntilMs
  if (lostUntilMs === undefined || !found.known || rule.isCertainDespiteLoss(found.holds)) return found
  const known = facts.kind === 'Counts' ? `at least ${found.text}` : found.text
  const message = `${known}; the broker has lost a part of its counts, which are complete again at ${momentOf(lostUntilMs)}`
  return { known: false, reason: 'CountsLost', message }
}

/** The entry of a condition. Its type is that of any entry: the kind has selected the one that is made for this condition. */
function ruleOf({ kind }: AlertCondition): AnyRule {
  return rules[kind]
}

/** A threshold that is crossed while a user has suspended the target is unknown: no reason to fire, and no all-clear. */
function excused(found: Measurement, { words }: Suspended): Measurement {
  if (!found.known || !found.holds) return found
  return { known: false, reason: 'TargetSuspended', message: `${found.text}, but ${words}` }
}

/**
 * Measures the jobs that could run. Jobs of suspended queues are no reason to fire; if the threshold is crossed together with them only, that
 * is no all-clear either, and the value is unknown.
 */
function withoutSuspended(
  { suspended, ...waiting }: Extract<Facts, { readonly kind: 'Backlog' }>,
  judge: (waiting: Waiting) => Measurement,
): Measurement {
  const found = judge(waiting)
  if (suspended === undefined || !found.known || found.holds) return found
  const judged = excused(judge(together(waiting, suspended)), suspended)
  if (!judged.known) return judged
  return judged.changesAtMs === undefined ? found : { ...found, changesAtMs: Math.min(found.changesAtMs ?? Infinity, judged.changesAtMs) }
}

function together(a: Waiting, b: Waiting & Suspended): Waiting {
  const oldest = Math.min(a.oldestReadyAtMs ?? Infinity, b.oldestReadyAtMs ?? Infinity)
  return { jobs: a.jobs + b.jobs, oldestReadyAtMs: oldest === Infinity ? undefined : oldest }
}

/** The longest time that a run has after it is due if nothing is known of former ones. */
const mostPatienceSeconds = 3600

/**
 * How long after its run is due a success may come while all is well: half as long again as the latest one lately, and a
 * minute; at least an hour, or the window if that is shorter. Before the first success: the window.
 */
function patienceSeconds(windowSeconds: number, longestRunSeconds: number | undefined): number {
  if (longestRunSeconds === undefined) return windowSeconds
  return Math.max(Math.min(windowSeconds, mostPatienceSeconds), Math.ceil(longestRunSeconds * 1.5) + 60)
}

/** Nothing is missing before the next run is due, and the time that it may take. */
function measureNoSuccess(
  { windowSeconds }: Condition<'noSuccess'>,
  { createdAtMs, resumedAtMs = 0, lastSuccessAtMs, counted, nextDueMs, longestRunSeconds }: FactsOf<'Successes'>,
  nowMs: number,
): Measurement {
  const runsSinceMs = Math.max(createdAtMs, lastSuccessAtMs ?? 0)
  if (nextDueMs === Infinity) return { known: true, holds: false, text: 'no slot is left, so no success is expected', amount: '0' }
  const sinceMs = Math.max(runsSinceMs, resumedAtMs)
  const expectedByMs = nextDueMs === undefined ? 0 : nextDueMs + patienceSeconds(windowSeconds, longestRunSeconds) * 1000
  const windowEndMs = sinceMs + windowSeconds * 1000
  const last =
    lastSuccessAtMs === undefined ? `no success since its creation ${momentOf(createdAtMs)}` : `last success ${momentOf(runsSinceMs)}`
  const resumed = resumedAtMs > runsSinceMs ? `, suspended until ${momentOf(resumedAtMs)}` : ''
  const expected = expectedByMs > windowEndMs ? `, next expected by ${momentOf(expectedByMs)}` : ''
  const text = `${last}${resumed}${expected}`
  const { holds, amount, changesAtMs } = crossing(sinceMs, Math.floor((Math.max(windowEndMs, expectedByMs) - sinceMs) / 1000), nowMs)
  if (!holds) return { known: true, holds, text, amount, ...(changesAtMs === undefined ? {} : { changesAtMs }) }
  if (counted === undefined) {
    return { known: false, reason: 'BrokerUnreachable', message: `${text}; the broker cannot be asked for a later one` }
  }
  // The broker has counted a success that is not in the schedule's status yet.
  if (counted > 0)
    return { known: true, holds: false, text: `${plural(counted, 'success', 'successes')} in ${duration(windowSeconds)}`, amount: '0' }
  return { known: true, holds, text, amount }
}

/** Whether an age is above its limit, in whole seconds, and when it will be (Unix ms). */
function crossing(sinceMs: number, limitSeconds: number, nowMs: number) {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000))
  const holds = seconds > limitSeconds
  return { holds, amount: String(seconds), ...(holds ? {} : { changesAtMs: sinceMs + (limitSeconds + 1) * 1000 }) }
}
