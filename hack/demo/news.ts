/** What has happened so far, as lines with their moments: the pool's own Events, ends of runs, and what became of alerts. Pure. */
import { hasEnded } from './runs.ts'
import type { AlertView, DemoState, RunView } from './state.ts'

export type News = { readonly atMs: number; readonly text: string }

export function newsOf({ events, assistant, startedAtMs }: DemoState): readonly News[] {
  return [
    ...events.map(({ atMs, reason, note }) => ({ atMs, text: `${reason} ${note}` })),
    ...assistant.runs.flatMap(newsOfRun),
    ...assistant.alerts.flatMap(newsOfAlert),
  ]
    .filter(({ atMs }) => atMs >= startedAtMs)
    .toSorted((a, b) => a.atMs - b.atMs)
}

function newsOfRun({ name, status }: RunView): readonly News[] {
  if (!hasEnded(status?.state)) return []
  const { state, progress, failureMessage, finishTime = '' } = status ?? {}
  return [
    { atMs: Date.parse(finishTime), text: `run ${name} ${state}, ${progress}${failureMessage === undefined ? '' : `: ${failureMessage}`}` },
  ]
}

function newsOfAlert({ name, severity, status }: AlertView): readonly News[] {
  return (status?.transitions ?? []).map(({ state, changeTime, value }) => ({
    atMs: Date.parse(changeTime),
    text: state === 'Firing' ? `alert ${name} (${severity}) fires: ${value}` : `alert ${name} is resolved: ${value}`,
  }))
}
