/** What has happened so far, as lines with their moments: the pool's own Events, ends of runs, and what became of alerts. Pure. */
import { hasEnded } from './runs.ts'
import type { AlertView, DemoState, RunView } from './state.ts'

export type TimelineEntry = { readonly atMs: number; readonly text: string }

export function timelineOf({ events, assistant, startedAtMs }: DemoState): readonly TimelineEntry[] {
  return [
    ...events.map(({ atMs, reason, note }) => ({ atMs, text: `${reason} ${note}` })),
    ...assistant.runs.flatMap(runEntries),
    ...assistant.alerts.flatMap(alertEntries),
  ]
    .filter(({ atMs }) => atMs >= startedAtMs)
    .toSorted((a, b) => a.atMs - b.atMs)
}

function runEntries({ name, status }: RunView): readonly TimelineEntry[] {
  if (!hasEnded(status?.state)) return []
  const { state, progress, failureMessage, finishTime = '' } = status ?? {}
  return [
    { atMs: Date.parse(finishTime), text: `run ${name} ${state}, ${progress}${failureMessage === undefined ? '' : `: ${failureMessage}`}` },
  ]
}

function alertEntries({ name, severity, status }: AlertView): readonly TimelineEntry[] {
  return (status?.transitions ?? []).map(({ state, changeTime, value }) => ({
    atMs: Date.parse(changeTime),
    text: state === 'Firing' ? `alert ${name} (${severity}) fires: ${value}` : `alert ${name} is resolved: ${value}`,
  }))
}
