/** The alert of the demo's graph: when it fired and was resolved, and which notifications were sent. Pure. */
import type { DemoState } from './state.ts'

export const demoAlert = 'morning-summary-failing'

export type AlertAccount = {
  /** RFC 3339, as the alert itself says. */
  readonly firedAt?: string | undefined
  readonly firedWith?: string | undefined
  readonly resolvedAt?: string | undefined
  /** From the moment at which the failed run was seen to that at which the alert was seen firing, both by watch. */
  readonly firedAfterMs?: number | undefined
  readonly told: readonly string[]
}

/** Of this demo only: the alert may remember an earlier one. */
export function accountOfAlert({ startedAtMs, assistant }: DemoState): AlertAccount {
  const { alerts, runs, expected, firstSeenMs, told } = assistant
  const { transitions: all = [] } = alerts.find(({ name }) => name === demoAlert)?.status ?? {}
  const transitions = all.filter(({ changeTime }) => Date.parse(changeTime) + 1000 > startedAtMs)
  const fired = transitions.find(({ state }) => state === 'Firing')
  const resolved = transitions.find(({ state, sequence }) => state === 'Resolved' && sequence > (fired?.sequence ?? Infinity))
  const failedMs = runs
    .filter(({ name, status }) => expected[name] !== undefined && status?.state === 'Failed')
    .flatMap(({ name }) => firstSeenMs[name] ?? [])
  const firingMs = firstSeenMs[`${demoAlert} Firing`]
  return {
    firedAt: fired?.changeTime,
    firedWith: fired?.value,
    resolvedAt: resolved?.changeTime,
    firedAfterMs: firingMs === undefined || failedMs.length === 0 ? undefined : Math.max(0, firingMs - Math.min(...failedMs)),
    told,
  }
}

/** The lines of the operator's log that the channel `log` wrote for it. */
export function notifiedStates(log: string): readonly string[] {
  return log.split('\n').flatMap((line) => {
    const { channel, notification } = parsed(line)
    return channel === 'assistant/log' && notification?.alert?.name === demoAlert ? [notification.state ?? ''] : []
  })
}

type LogLine = {
  readonly channel?: string
  readonly notification?: { readonly state?: string; readonly alert?: { readonly name?: string } }
}

function parsed(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return {}
  }
}
