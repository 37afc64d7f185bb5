/** Draws the demo's state: a frame of lines for a terminal, one line where there is none. Pure. */
import type { DemoState, PodView } from './state.ts'

const bars = '▁▂▃▄▅▆▇█'
const maxPods = 6
const maxEvents = 5

export function renderFrame(state: DemoState, nowMs: number, columns: number): readonly string[] {
  const { status } = state
  const width = Math.min(Math.max(columns, 60), 140)
  const line = (label: string, text: string): string => `  ${bold(label.padEnd(9))} ${fit(text, width - 13)}`
  return [
    '',
    `  ${bold('Taskmill quickstart')}   ${elapsed(nowMs - state.startedAtMs)}`,
    '',
    line(
      'pool',
      `READY ${status?.ready ?? '-'}   BUSY ${status?.busy ?? '-'}   BACKLOG ${status?.backlog ?? '-'}   REASON ${status?.reason ?? '-'}`,
    ),
    line('decision', status?.decision ?? '-'),
    line('replicas', `${sparkline(state.replicas, state.startedAtMs, nowMs, width - 24)} ${state.replicas.at(-1)?.replicas ?? 0}`),
    line('jobs', jobsLine(state, width - 13)),
    ...podLines(state.pods, line),
    ...eventLines(state, nowMs, line),
    '',
  ]
}

/** For logs: everything that matters in one line. */
export function renderLine(state: DemoState, nowMs: number): string {
  const { status, tally } = state
  const pool = `replicas ${state.replicas.at(-1)?.replicas ?? 0}, ready ${status?.ready ?? '-'}, backlog ${status?.backlog ?? '-'}`
  return `  ${elapsed(nowMs - state.startedAtMs)}  ${pool}, jobs ${tally.done}/${tally.added}, ${status?.reason ?? '-'}`
}

function jobsLine({ tally }: DemoState, width: number): string {
  const size = Math.min(40, width - 30)
  const full = tally.added === 0 ? 0 : Math.round((size * tally.done) / tally.added)
  return `${'█'.repeat(full)}${'░'.repeat(size - full)} ${tally.done} of ${tally.added} done, ${tally.twice} run twice`
}

function podLines(pods: readonly PodView[], line: (label: string, text: string) => string): readonly string[] {
  const shown = pods
    .slice(0, maxPods)
    .map((pod, index) => line(index === 0 ? 'pods' : '', `${pod.name}  ${pod.phase}${pod.ready ? ', ready' : ''}`))
  const blank = Array.from({ length: maxPods - shown.length }, (_, index) =>
    line(shown.length + index === 0 ? 'pods' : '', shown.length + index === 0 ? 'none' : ''),
  )
  return [...shown, ...blank]
}

function eventLines(state: DemoState, nowMs: number, line: (label: string, text: string) => string): readonly string[] {
  const recent = state.events.slice(-maxEvents).toReversed()
  return recent.map(({ atMs, reason, note }, index) =>
    line(index === 0 ? 'events' : '', `${`${Math.max(0, Math.round((nowMs - atMs) / 1000))}s`.padStart(4)} ${reason} ${note}`),
  )
}

/** Replicas over the whole demo, one bar a slice of time, the highest of each slice. */
export function sparkline(samples: DemoState['replicas'], fromMs: number, toMs: number, width: number): string {
  const top = Math.max(1, ...samples.map((sample) => sample.replicas))
  const sliceMs = Math.max(1, (toMs - fromMs) / width)
  return Array.from({ length: width }, (_, index) => {
    const highest = highestWithin(samples, fromMs + index * sliceMs, fromMs + (index + 1) * sliceMs)
    return highest === 0 ? ' ' : (bars[Math.ceil((highest / top) * bars.length) - 1] ?? ' ')
  }).join('')
}

/** A value holds until the next one is written. */
function highestWithin(samples: DemoState['replicas'], fromMs: number, toMs: number): number {
  const before = samples.findLast((sample) => sample.atMs <= fromMs)?.replicas ?? 0
  return Math.max(before, ...samples.filter((sample) => sample.atMs > fromMs && sample.atMs < toMs).map((sample) => sample.replicas))
}

function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

function bold(text: string): string {
  return `\u001b[1m${text}\u001b[0m`
}
