/** Draws the demo's state: a frame of lines for a terminal, one line where there is none. Pure. */
import { accountOf, totalAccount } from './slots.ts'
import type { DemoState, PoolView, ScheduleView, Tally } from './state.ts'

const bars = '▁▂▃▄▅▆▇█'
const maxPools = 5
const maxSchedules = 11
const maxEvents = 3

/** Always of the same height, and not higher than `rows`, so that it can be drawn over itself. */
export function renderFrame(state: DemoState, nowMs: number, columns: number, rows = Infinity): readonly string[] {
  const { status, assistant } = state
  const width = Math.min(Math.max(columns, 60), 140)
  const line = (label: string, text: string): string => `  ${bold(label.padEnd(10))} ${fit(text, width - 14)}`
  const lines = [
    '',
    `  ${bold('Taskmill')}   ${elapsed(nowMs - state.startedAtMs)}   ${podsLine(state)}`,
    '',
    line(
      'quickstart',
      `READY ${status?.ready ?? '-'}   BUSY ${status?.busy ?? '-'}   BACKLOG ${status?.backlog ?? '-'}   REASON ${status?.reason ?? '-'}`,
    ),
    line('decision', status?.decision ?? '-'),
    line('replicas', `${sparkline(state.replicas, state.startedAtMs, nowMs, width - 25)} ${state.replicas.at(-1)?.replicas ?? 0}`),
    line('jobs', progressLine(state.tally, width - 14)),
    '',
    ...table(width, [16, 7, 7, 8], ['assistant', 'READY', 'BUSY', 'BACKLOG', 'REASON'], maxPools, assistant.pools.map(poolRow)),
    line('people', progressLine(assistant.jobs, width - 14)),
    '',
    ...table(
      width,
      [26, 8, 10, 6, 5, 5, 7],
      ['schedule', 'NEXT', 'RESULT', 'FAILS', 'DUE', 'RAN', 'MISSED', 'TWICE'],
      maxSchedules,
      assistant.schedules.map((schedule) => scheduleRow(schedule, state, nowMs)),
    ),
    '',
    ...eventLines(state, nowMs, line),
    '',
  ]
  return lines.slice(0, Math.max(rows - 1, 8))
}

/** For logs: everything that matters in one line. */
export function renderLine(state: DemoState, nowMs: number): string {
  const { status, tally, assistant } = state
  const pool = `replicas ${state.replicas.at(-1)?.replicas ?? 0}, ready ${status?.ready ?? '-'}, backlog ${status?.backlog ?? '-'}`
  const { due, ran } = totalAccount(assistant, nowMs)
  const rest = `jobs ${tally.done}/${tally.added}, people ${assistant.jobs.done}/${assistant.jobs.added}, slots ${ran}/${due}`
  return `  ${elapsed(nowMs - state.startedAtMs)}  ${pool}, ${rest}, ${status?.reason ?? '-'}`
}

function poolRow({ name, status }: PoolView): readonly string[] {
  return [name, status?.ready ?? '-', status?.busy ?? '-', String(status?.backlog ?? '-'), status?.reason ?? '-']
}

function scheduleRow(schedule: ScheduleView, { assistant }: DemoState, nowMs: number): readonly string[] {
  const { name, status } = schedule
  const { due, ran, missed, doubled } = accountOf(schedule, assistant, nowMs)
  const next = (status?.nextRuns ?? []).map((slot) => Date.parse(slot)).find((slotMs) => slotMs >= nowMs)
  return [
    name,
    next === undefined ? '-' : `in ${Math.ceil((next - nowMs) / 1000)} s`,
    status?.lastResult ?? '-',
    ...[status?.consecutiveFailures ?? 0, due, ran, missed, doubled].map(String),
  ]
}

/** A header and always as many rows; all columns but the last have a width. */
function table(
  width: number,
  widths: readonly number[],
  header: readonly string[],
  count: number,
  rows: readonly (readonly string[])[],
): readonly string[] {
  const text = (cells: readonly string[]): string =>
    fit(cells.map((cell, index) => fit(cell, (widths[index] ?? width) - 1).padEnd(widths[index] ?? 0)).join(''), width - 3).trimEnd()
  const shown = Array.from({ length: count }, (_, index) => rows[index] ?? [])
  return [`  ${bold(text(header))}`, ...shown.map((row) => `  ${text(row)}`)]
}

function progressLine(tally: Tally, width: number): string {
  const size = Math.min(40, width - 32)
  const full = tally.added === 0 ? 0 : Math.round((size * tally.done) / tally.added)
  return `${'█'.repeat(full)}${'░'.repeat(size - full)} ${tally.done} of ${tally.added} done, ${tally.twice} run twice`
}

/** `pods: 4 Running, 2 Pending`. */
function podsLine({ pods }: DemoState): string {
  const phases = Map.groupBy(pods, ({ phase, ready }) => (ready ? 'ready' : phase))
  return pods.length === 0 ? 'no pods' : `pods: ${[...phases].map(([phase, those]) => `${those.length} ${phase}`).join(', ')}`
}

function eventLines(state: DemoState, nowMs: number, line: (label: string, text: string) => string): readonly string[] {
  const recent = state.events.slice(-maxEvents).toReversed()
  return Array.from({ length: maxEvents }, (_, index) => {
    const event = recent[index]
    const age = event === undefined ? '' : `${Math.max(0, Math.round((nowMs - event.atMs) / 1000))}s`.padStart(4)
    return line(index === 0 ? 'events' : '', event === undefined ? '' : `${age} ${event.reason} ${event.note}`)
  })
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
