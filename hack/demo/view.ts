/** Draws the demo's state: a frame of lines for a terminal, one line where there is none. Pure. */
import { bold, elapsed, fit, table } from './layout.ts'
import { timelineOf } from './timeline.ts'
import { hasEnded } from './runs.ts'
import { accountOf, totalAccount } from './slots.ts'
import { type AlertView, type DemoState, otherExamples, type PoolView, type RunView, type ScheduleView, type Tally } from './state.ts'

const bars = '▁▂▃▄▅▆▇█'
const maxPools = 5
const maxSchedules = 12
const maxRuns = 5
const maxNodes = 6
const maxAlerts = 2
const maxRecent = 4

/** Always of the same height, and not higher than `rows`, so that it can be drawn over itself: one line counts the rows without room. */
export function renderFrame(state: DemoState, nowMs: number, columns: number, rows = Infinity): readonly string[] {
  const width = Math.min(Math.max(columns, 60), 140)
  const { schedules, others } = state.assistant
  const whole = [
    ...quickstartLines(state, nowMs, width),
    ...poolLines(state, width),
    ...runLines(state, nowMs, width),
    ...alertLines(state, nowMs, width),
    ...scheduleLines(state, nowMs, width),
    ...otherLines(state, nowMs, width),
    ...recentLines(state, nowMs, width, maxRecent),
  ]
  if (whole.length < rows) return whole
  const short = [
    ...quickstartLines(state, nowMs, width),
    ...poolLines(state, width),
    ...runLines(state, nowMs, width),
    ...alertLines(state, nowMs, width),
    labelled('schedules', slotsLine(state, nowMs, [schedules, ...Object.values(others)].flat()), width),
    '',
    ...recentLines(state, nowMs, width, 1),
  ]
  return short.slice(0, Math.max(rows - 1, 8))
}

/** For logs: everything that matters in one line. */
export function renderLine(state: DemoState, nowMs: number): string {
  const { status, tally, assistant } = state
  const pool = `replicas ${state.replicas.at(-1)?.replicas ?? 0}, ready ${status?.ready ?? '-'}, backlog ${status?.backlog ?? '-'}`
  const { due, ran } = totalAccount(assistant, nowMs)
  const { runs, alerts, jobs } = assistant
  const firing = alerts.filter((alert) => alert.status?.state === 'Firing').length
  const rest = `jobs ${tally.done}/${tally.added}, people ${jobs.done}/${jobs.added}, slots ${ran}/${due}`
  const graph = `runs ${runs.filter((run) => hasEnded(run.status?.state)).length}/${runs.length}, alerts firing ${firing}`
  return `  ${elapsed(nowMs - state.startedAtMs)}  ${pool}, ${rest}, ${graph}, ${status?.reason ?? '-'}`
}

function labelled(label: string, text: string, width: number): string {
  return `  ${bold(label.padEnd(11))} ${fit(text, width - 14)}`
}

function quickstartLines(state: DemoState, nowMs: number, width: number): readonly string[] {
  const { status, replicas } = state
  const figures = `READY ${status?.ready ?? '-'}   BUSY ${status?.busy ?? '-'}   BACKLOG ${status?.backlog ?? '-'}   REASON ${status?.reason ?? '-'}`
  return [
    '',
    `  ${bold('Taskmill')}   ${elapsed(nowMs - state.startedAtMs)}   ${podsLine(state)}`,
    '',
    labelled('quickstart', figures, width),
    labelled('decision', status?.decision ?? '-', width),
    labelled('replicas', `${sparkline(replicas, state.startedAtMs, nowMs, width - 25)} ${replicas.at(-1)?.replicas ?? 0}`, width),
    labelled('jobs', progressLine(state.tally, width - 15), width),
    '',
  ]
}

function poolLines({ assistant }: DemoState, width: number): readonly string[] {
  return [
    ...table(width, [16, 7, 7, 8], ['assistant', 'READY', 'BUSY', 'BACKLOG', 'REASON'], maxPools, assistant.pools.map(poolRow)),
    labelled('people', progressLine(assistant.jobs, width - 15), width),
    '',
  ]
}

/** The newest runs, and of one of them its nodes as `kubectl describe` shows them: of the first that runs, else of the first in which one failed. */
function runLines({ assistant }: DemoState, nowMs: number, width: number): readonly string[] {
  const shown = assistant.runs.slice(-maxRuns)
  const followed =
    shown.find(({ status }) => status?.state === 'Running') ??
    shown.find(({ status }) => status?.progress?.includes('failed')) ??
    shown.at(-1)
  const [header = '', ...nodes] = followed?.status?.nodeTable ?? []
  const indented = [bold(fit(header, width - 6)), ...Array.from({ length: maxNodes }, (_, index) => fit(nodes[index] ?? '', width - 6))]
  return [
    ...table(
      width,
      [width < 100 ? 26 : 34, 11, 15, 6],
      ['run', 'STATE', 'PROGRESS', 'TOOK', 'WAITING-FOR'],
      maxRuns,
      shown.map((run) => runRow(run, nowMs)),
    ),
    `    ${followed === undefined ? '' : `nodes of ${followed.name}`}`,
    ...indented.map((line) => `    ${line}`),
    '',
  ]
}

function alertLines({ assistant }: DemoState, nowMs: number, width: number): readonly string[] {
  const rows = assistant.alerts.map((alert) => alertRow(alert, nowMs))
  return [...table(width, [26, 10, 10, 7, 22], ['alert', 'SEVERITY', 'STATE', 'SINCE', 'VALUE', 'TOLD'], maxAlerts, rows), '']
}

function scheduleLines(state: DemoState, nowMs: number, width: number): readonly string[] {
  const rows = state.assistant.schedules.map((schedule) => scheduleRow(schedule, state, nowMs))
  const header = ['schedule', 'NEXT', 'RESULT', 'FAILS', 'DUE', 'RAN', 'MISSED', 'TWICE']
  return [...table(width, [26, 8, 10, 6, 5, 5, 7], header, maxSchedules, rows), '']
}

/** The other examples, one line each. */
function otherLines(state: DemoState, nowMs: number, width: number): readonly string[] {
  return [...otherExamples.map((name) => labelled(name, slotsLine(state, nowMs, state.assistant.others[name]), width)), '']
}

function slotsLine({ assistant }: DemoState, nowMs: number, schedules: readonly ScheduleView[]): string {
  const { due, ran, missed, doubled } = totalAccount(assistant, nowMs, schedules)
  return `${schedules.length}: ${due} slots were due, ${ran} ran, ${missed} missed, ${doubled} run twice`
}

function recentLines(state: DemoState, nowMs: number, width: number, count: number): readonly string[] {
  const recent = timelineOf(state).slice(-count).toReversed()
  const lines = Array.from({ length: count }, (_, index) => {
    const entry = recent[index]
    const text = entry === undefined ? '' : `${`${Math.max(0, Math.round((nowMs - entry.atMs) / 1000))}s`.padStart(4)} ${entry.text}`
    return labelled(index === 0 ? 'latest' : '', text, width)
  })
  return [...lines, '']
}

function runRow({ name, status }: RunView, nowMs: number): readonly string[] {
  const { state, progress, startTime, finishTime, waitingFor } = status ?? {}
  const tookMs = startTime === undefined ? undefined : (finishTime === undefined ? nowMs : Date.parse(finishTime)) - Date.parse(startTime)
  return [name, state ?? '-', progress ?? '-', tookMs === undefined ? '-' : `${Math.max(0, Math.round(tookMs / 1000))}s`, waitingFor ?? '']
}

function alertRow({ name, severity, status }: AlertView, nowMs: number): readonly string[] {
  const { state, sinceTime, value, notifications = [] } = status ?? {}
  const since = sinceTime === undefined ? '-' : `${Math.max(0, Math.round((nowMs - Date.parse(sinceTime)) / 1000))}s`
  const told = notifications.map(
    (each) => `${each.channel}: ${each.state.toLowerCase()}${each.delivery === 'Delivered' ? '' : ` (${each.delivery.toLowerCase()})`}`,
  )
  return [name, severity, state ?? '-', since, value ?? '-', told.join(', ')]
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
