/** The end of the demo: what the handlers counted, held against the lists of the producers and the slots of the schedules. Pure. */
import { accountOfAlert } from './alert.ts'
import type { ShownKind } from './kinds.ts'
import { fit, span } from './layout.ts'
import { accountOfRuns } from './runs.ts'
import { accountOf, totalAccount } from './slots.ts'
import { type AssistantState, type DemoState, type OtherExample, otherExamples, type RunView, type ScheduleView } from './state.ts'

/** `columns`: of the terminal, for the lines of kubectl. */
export function renderSummary(state: DemoState, shown: readonly ShownKind[], kubeconfig: string, columns = Infinity): readonly string[] {
  const { tally } = state
  const { jobs, schedules, window } = state.assistant
  const { counts = { plain: 0, priority: 0, delayed: 0 }, fromMs = 0, untilMs = 0 } = window ?? {}
  const slots = totalAccount(state.assistant, untilMs)
  const runs = accountOfRuns(state.assistant)
  const alert = accountOfAlert(state)
  const row = (label: string, value: number | string): string => `  ${label.padEnd(34)} ${value}`
  return [
    '',
    "Quickstart: the handlers' own records, compared with the producer's list:",
    row('jobs added', tally.added),
    row('done', tally.done),
    row('lost', tally.missing),
    row('run twice', tally.twice),
    row('replicas over time', replicasOverTime(state)),
    row('first job added -> replicas written', span(state.firstAddedAtMs, state.firstScaleAtMs)),
    row('first job added -> first pod ready', span(state.firstAddedAtMs, state.firstReadyAtMs)),
    '',
    'Assistant: jobs that people added beside its schedules:',
    row('added', `${jobs.added}: ${counts.plain} plain, ${counts.priority} with a priority, ${counts.delayed} delayed`),
    row('done', jobs.done),
    row('lost', jobs.missing),
    row('run twice', jobs.twice),
    row('started in order of priority', `${jobs.inOrder} of ${counts.priority}`),
    '',
    `Assistant: slots of its ${schedules.length} schedules within ${Math.round((untilMs - fromMs) / 1000)} s, computed from the manifests:`,
    row('slots due', slots.due),
    row('dispatched and run', slots.ran),
    row('missed, with a reason', slots.missed),
    row('lost', slots.lost),
    row('doubled', slots.doubled),
    row('slot due -> handler starts', lateness(slots.lateMs)),
    '',
    'Two more examples: slots of their schedules within the same time:',
    ...otherExamples.map((name) => row(`${name}, ${state.assistant.others[name].length} schedules`, accountWords(state, name, untilMs))),
    row('who starts the runs of all', enginesOf([schedules, ...Object.values(state.assistant.others)].flat())),
    '',
    'Assistant: runs of its graph, each step compared with the expected one:',
    row('runs', `${runs.byHand + runs.bySchedule}: ${runs.byHand} by hand, ${runs.bySchedule} by its schedule`),
    row('ended as expected', `${runs.asExpected} of ${runs.byHand + runs.bySchedule}`),
    ...state.assistant.runs.filter(({ name }) => state.assistant.expected[name] !== undefined).map(runRow),
    row('steps started', runs.steps),
    row('lost', runs.lost),
    row('doubled', runs.doubled),
    '',
    'Assistant: the alert on its graph, from the log channel of the operator:',
    row('fired at', alert.firedAt === undefined ? 'not seen' : `${alert.firedAt}, ${alert.firedWith ?? ''}`),
    row('run seen failed -> alert seen firing', span(0, alert.firedAfterMs)),
    row('resolved at', alert.resolvedAt ?? 'not seen'),
    row('notified', `${alert.told.length}: ${alert.told.join(', ')}`),
    '',
    'The eight kinds of the assistant, as kubectl shows them:',
    ...shown.flatMap(({ command, lines }) => ['', `  $ ${command}`, ...lines.map((line) => fit(`  ${line}`, columns))]),
    '',
    'The cluster stays up, and the schedules continue. To try next:',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get taskmill -A',
    '  kubectl -n assistant describe tex',
    '  kubectl -n assistant describe tal',
    '  kubectl -n reports get tsch,cronjobs,jobs',
    '  kubectl -n quickstart describe wp quickstart',
    '  kubectl create -f examples/assistant/runs/morning-without-pages.yaml && kubectl -n assistant get tex -w',
    '  kubectl create -f examples/quickstart/burst.yaml && kubectl -n quickstart get pods -w',
    '',
    '  make demo-down removes the demo, make cluster-down the cluster.',
    '',
  ]
}

/** `Taskmill 31, CronJob 1`. */
function enginesOf(schedules: readonly ScheduleView[]): string {
  const byEngine = Map.groupBy(schedules, ({ spec }) => spec.engine ?? 'Taskmill')
  return [...byEngine].map(([engine, those]) => `${engine} ${those.length}`).join(', ')
}

function accountWords({ assistant }: DemoState, name: OtherExample, untilMs: number): string {
  const { due, ran, missed, lost, doubled } = totalAccount(assistant, untilMs, assistant.others[name])
  return `${due} due, ${ran} run, ${missed} missed with a reason, ${lost} lost, ${doubled} doubled`
}

/** `0 -> 6 -> 1 -> 0`, each with the second at which it was written. */
function replicasOverTime({ replicas, firstAddedAtMs }: DemoState): string {
  const zeroMs = firstAddedAtMs ?? replicas[0]?.atMs ?? 0
  return replicas
    .map(({ atMs, replicas: count }) => (atMs <= zeroMs ? String(count) : `${count} (${Math.round((atMs - zeroMs) / 1000)} s)`))
    .join(' -> ')
}

function lateness(sortedMs: readonly number[]): string {
  const at = (share: number): string => span(0, sortedMs[Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share))])
  return sortedMs.length === 0 ? 'not seen' : `half of them within ${at(0.5)}, all within ${at(1)}`
}

function runRow({ name, status }: RunView): string {
  const took = status?.durationSeconds === undefined ? '' : `, ${status.durationSeconds} s`
  return `    ${name.padEnd(32)} ${status?.state ?? '-'}, ${status?.progress ?? '-'}${took}`
}

/** What makes the demo a failure, in words; empty when all is well. */
export function problems(state: DemoState): readonly string[] {
  const { tally, replicas, assistant } = state
  const { jobs, schedules, others } = assistant
  const alert = accountOfAlert(state)
  return [
    ...(tally.missing > 0 ? [`not done: ${tally.missing} of ${tally.added} jobs`] : []),
    ...(tally.twice > 0 ? [`run more than once: ${tally.twice} of ${tally.added} jobs`] : []),
    ...(replicas.at(-1)?.replicas === 0 ? [] : ['the pool did not return to zero']),
    ...(jobs.missing > 0 ? [`not done: ${jobs.missing} of ${jobs.added} jobs of people`] : []),
    ...(jobs.twice > 0 ? [`run more than once: ${jobs.twice} of ${jobs.added} jobs of people`] : []),
    ...Object.entries({ assistant: schedules, ...others }).flatMap(([name, those]) => problemsOfSlots(name, those, assistant)),
    ...accountOfRuns(assistant).wrong,
    ...(alert.firedAt === undefined ? ['the alert did not fire'] : []),
    ...(alert.resolvedAt === undefined ? ['the alert was not resolved'] : []),
    ...(alert.told.join() === 'firing,resolved'
      ? []
      : [`the log channel printed "${alert.told.join(', ')}" instead of "firing, resolved"`]),
  ]
}

function problemsOfSlots(example: string, schedules: readonly ScheduleView[], state: AssistantState): readonly string[] {
  const untilMs = state.window?.untilMs ?? 0
  const { due, lost, doubled } = totalAccount(state, untilMs, schedules)
  const namesOf = (which: 'lost' | 'doubled'): string =>
    schedules
      .filter((schedule) => accountOf(schedule, state, untilMs)[which] > 0)
      .map(({ name }) => name)
      .join(', ')
  return [
    ...(due === 0 ? [`no slot of ${example} was due`] : []),
    ...(lost > 0 ? [`lost: ${lost} of ${due} slots, of ${namesOf('lost')}`] : []),
    ...(doubled > 0 ? [`run more than once: ${doubled} of ${due} slots, of ${namesOf('doubled')}`] : []),
  ]
}
