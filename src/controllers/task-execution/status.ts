/** What people read about a run: pure, from a world to a status. */
import {
  executionCondition,
  keepCondition,
  kubeTime,
  runSourceOf,
  setConditions,
  type TaskExecution,
  type TaskExecutionStatus,
  type WantedCondition,
} from '../../api/index.ts'
import { type Archived, type Finished, viewNodes, type NodeView, type Run, type RunView, viewRun } from '../../graph/index.ts'
import { parseSlotRun } from '../../plans/index.ts'
import { describeSituation, type RecordWords } from '../../services/engine/index.ts'
import { nodeTable } from './node-table.ts'
import type { World } from './gather.ts'

type NodeStatus = NonNullable<TaskExecutionStatus['nodes']>[number]

const maxResultBytes = 1024

export function statusOf(world: World): TaskExecutionStatus {
  const { execution, status, broker, dependency, situation, run, nowMs } = world
  const view = run === undefined ? undefined : viewRun(run)
  const { waitingFor: _, ...told } = run === undefined || view === undefined ? keepFormer(world) : describeRun(run, view, world)
  const state = told.state ?? 'Pending'
  const keepsWaitingFor = situation.kind === 'Driven' && keepsWords(world)
  const waitingFor = isFinal(state) ? undefined : keepsWaitingFor ? status?.waitingFor : waitingOf(world)
  const schedule = scheduleOf(execution)
  const hopeless = situation.kind === 'Hopeless' ? { state: 'Failed' as const, ...hopelessFields(status, situation.message, nowMs) } : {}
  const wanted = conditionsOf(world, view, situation.kind === 'Hopeless' ? 'Failed' : state)
  return {
    observedGeneration: execution.metadata.generation ?? 0,
    source: sourceOf(execution),
    broker,
    ...(dependency === undefined ? {} : { dependency }),
    ...(schedule === undefined ? {} : { schedule }),
    ...told,
    ...(waitingFor === undefined ? {} : { waitingFor }),
    state,
    ...hopeless,
    conditions: setConditions(status?.conditions, wanted, nowMs, execution.metadata.generation),
  }
}

/**
 * Nothing new is known of the nodes that have begun: a process that starts would take its words back, and write them again a moment later.
 */
function keepsWords({ run, status, notLookedAt }: World): boolean {
  if (run === undefined || notLookedAt.size === 0) return false
  const activeIn = (nodes: readonly { readonly name: string; readonly state: string }[]) =>
    nodes.flatMap(({ name, state }) => (state === 'Running' || state === 'Stopping' ? [`${name} ${state}`] : [])).join('\n')
  return activeIn(viewNodes(run)) === activeIn(status?.nodes ?? [])
}

/** Nothing can be read: the former status stays. */
function keepFormer({ status, situation }: World): Partial<TaskExecutionStatus> {
  const { conditions: _, waitingFor, ...kept } = status ?? { observedGeneration: -1 }
  return situation.kind === 'Hopeless' || waitingFor === undefined ? kept : { ...kept, waitingFor }
}

function hopelessFields(status: TaskExecutionStatus | undefined, message: string, nowMs: number): Partial<TaskExecutionStatus> {
  const nowTime = kubeTime(nowMs)
  return {
    startTime: status?.startTime ?? nowTime,
    finishTime: status?.finishTime ?? nowTime,
    failureMessage: message.slice(0, 2048),
  }
}

function describeRun(run: Run, view: RunView, world: World): Partial<TaskExecutionStatus> {
  if (run.archived !== undefined) return describeArchived(run.archived, world)
  const nodes = viewNodes(run)
  const begunAtMs = run.begun?.atMs ?? 0
  const { finished } = view
  const ends = nodes.flatMap(({ ended }) => (ended === undefined ? [] : [ended]))
  const attempts = ends.reduce((sum, { attemptsMade = 0 }) => sum + attemptsMade, 0)
  const firstStartMs = Math.min(...ends.map(({ startedAtMs = Infinity }) => startedAtMs))
  const result = nodes.length === 1 ? resultOf(ends[0]?.result) : undefined
  const former = new Map((keepsWords(world) ? (world.status?.nodes ?? []) : []).map(({ name, message }) => [name, message]))
  const table = nodes.map((node) => nodeStatus(node, world, former))
  return {
    state: finished?.outcome ?? 'Running',
    progress: progressOf(view),
    startTime: kubeTime(begunAtMs),
    ...(attempts === 0 ? {} : { attempts }),
    ...(firstStartMs === Infinity ? {} : { queueSeconds: seconds(firstStartMs - begunAtMs) }),
    ...(result === undefined ? {} : { result }),
    ...(finished === undefined ? {} : { finishTime: kubeTime(finished.atMs), durationSeconds: seconds(finished.atMs - begunAtMs) }),
    ...failureOf(finished),
    nodes: table,
    nodeTable: nodeTable(table),
  }
}

/** Of a run that ended long ago the broker keeps the outcome; the rest is what the status says already. */
function describeArchived({ outcome, atMs, message }: Archived, world: World): Partial<TaskExecutionStatus> {
  const { failureMessage, ...former } = keepFormer(world)
  const finishTime = kubeTime(atMs)
  const hasFailed = outcome === 'Failed' || outcome === 'TimedOut'
  return {
    ...former,
    state: outcome,
    startTime: former.startTime ?? finishTime,
    finishTime,
    ...(hasFailed ? { failureMessage: failureMessage ?? message.slice(0, 2048) } : {}),
  }
}

function failureOf(finished: Finished | undefined): Partial<TaskExecutionStatus> {
  const hasFailed = finished?.outcome === 'Failed' || finished?.outcome === 'TimedOut'
  return hasFailed ? { failureMessage: finished.message.slice(0, 2048) } : {}
}

/** `2/4`, `2/4, 1 failed`. */
export function progressOf({ final, nodes, failed }: RunView): string {
  return `${final}/${nodes}${failed === 0 ? '' : `, ${failed} failed`}`
}

/** `former`: messages of nodes of which nothing new is known. */
function nodeStatus(
  { name, state, startedAtMs, ended, waitsFor }: NodeView,
  { whereabouts, jobOf, executionOf }: World,
  former: ReadonlyMap<string, string | undefined>,
): NodeStatus {
  const [job, execution] = startedAtMs === undefined ? [] : [jobOf(name), executionOf(name)]
  const where = whereabouts.get(name)?.detail ?? former.get(name)
  const waiting = waitsFor.length === 0 ? where : `needs ${listed(waitsFor)}`
  const message = (ended === undefined ? waiting : ended.message)?.slice(0, nodeMessageLength)
  const attempt = ended?.attemptsMade
  const { worker, reason } = ended ?? {}
  return {
    name,
    state,
    ...(attempt === undefined ? {} : { attempt }),
    ...(startedAtMs === undefined ? {} : { startTime: kubeTime(startedAtMs) }),
    ...(ended === undefined || startedAtMs === undefined ? {} : { finishTime: kubeTime(ended.finishedAtMs ?? ended.atMs) }),
    ...(worker === undefined ? {} : { worker: worker.slice(0, 253) }),
    ...(job === undefined ? {} : { job }),
    ...(execution === undefined ? {} : { execution }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  }
}

/** The table of up to 532 nodes has to fit into an object. */
const nodeMessageLength = 256

const shownNodes = 3

function listed(names: readonly string[]): string {
  const more = names.length - shownNodes
  return `${names.slice(0, shownNodes).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function resultOf(result: unknown): string | undefined {
  if (result === undefined || result === null) return undefined
  const text = JSON.stringify(result)
  return Buffer.byteLength(text) <= maxResultBytes ? text : undefined
}

function seconds(durationMs: number): number {
  return Math.max(0, Math.round(durationMs / 1000))
}

type State = NonNullable<TaskExecutionStatus['state']>

function conditionsOf(world: World, view: RunView | undefined, state: State): readonly WantedCondition[] {
  const { situation, status, isContinued } = world
  if (state === 'Pending' || state === 'Running') {
    return [pending(world, view), executionCondition('Reconciling', 'InProgress', progressWords(view)), ...blocked(world)]
  }
  const told = situation.kind === 'Hopeless' ? situation.message : (view?.finished?.message ?? status?.failureMessage ?? '')
  const message = isContinued ? `${told}; an object of the same name had started it` : told
  const succeeded = executionCondition('Succeeded', state, message)
  if (state !== 'Failed' && state !== 'TimedOut') return [succeeded]
  return [succeeded, executionCondition('Failed', state, message), executionCondition('Stalled', state, message)]
}

/** The oldest node that does not continue until a user acts, and how many more there are. */
function blocked(world: World): readonly WantedCondition[] {
  const kept = keptBlocked(world)
  if (kept !== undefined) return [kept]
  const stuck = [...world.whereabouts].flatMap(([node, { blocked: reason, detail }]) =>
    reason === undefined ? [] : [{ node, reason, detail }],
  )
  const [first] = stuck
  if (first === undefined) return []
  const more = stuck.length - 1
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'node' : 'nodes'}`
  return [executionCondition('Blocked', first.reason, `${first.node}${others}: ${first.detail}`)]
}

/**
 * What was said last of a node, or of a run, that was not looked at yet: after a start, or while the broker is away, it is unknown whether that
 * still holds. A cluster on standby knows nothing of the run any more.
 */
function keptBlocked({ status, situation, run, notLookedAt }: World): WantedCondition | undefined {
  const former = keepCondition(status?.conditions, 'Blocked')
  if (former === undefined || situation.kind === 'Standby') return undefined
  const isAbout = (node: string) => former.message.startsWith(`${node}: `) || former.message.startsWith(`${node} and `)
  return run === undefined || [...notLookedAt].some(isAbout) ? former : undefined
}

function progressWords(view: RunView | undefined): string {
  return view === undefined ? 'it has not started' : `${view.final} of ${view.nodes} ${view.nodes === 1 ? 'node is' : 'nodes are'} final`
}

function pending(world: World, view: RunView | undefined): WantedCondition {
  const { execution, situation, broker, run, whereabouts } = world
  const say = (reason: Parameters<typeof executionCondition<'Succeeded'>>[1], message: string) =>
    executionCondition('Succeeded', reason, message)
  switch (situation.kind) {
    case 'NoSource':
      return say('SourceNotFound', situation.message)
    case 'Paused':
      return say('Paused', `it has not started. ${continueWords}`)
    case 'Scheduled':
      return say('Scheduled', `it starts at ${kubeTime(situation.startMs)}`)
    case 'NoBroker':
    case 'NotUsable':
    case 'Unreachable':
    case 'Unreadable':
    case 'Pending':
    case 'Standby': {
      const { reason, message } = describeSituation(situation, broker, recordWords)
      return say(reason, message)
    }
    case 'Hopeless':
    case 'Driven':
      break
  }
  if (view?.isCancelling === true) return say('Cancelling', 'its jobs are being removed; finally nodes still run')
  const told = keepsWords(world) ? keepCondition(world.status?.conditions, 'Succeeded') : undefined
  if (told?.reason === 'Running') return told
  const waiting = run === undefined ? undefined : activeNodes(viewNodes(run), whereabouts)
  const [stuck] = [...whereabouts].filter(([, { blocked: reason }]) => reason !== undefined)
  const obstacle = stuck === undefined ? '' : `. ${stuck[0]}: ${stuck[1].detail}`
  const words = `${progressWords(view)}${waiting === undefined ? '' : `; waiting for ${waiting}`}${obstacle}`
  return execution.spec.desiredState === 'Paused' ? say('Paused', `${words}; nothing new starts. ${continueWords}`) : say('Running', words)
}

const continueWords = 'Next: set spec.desiredState to Running'

const recordWords: RecordWords<'LogUnreadable'> = {
  verb: 'dispatch',
  unreadable: { reason: 'LogUnreadable', next: 'run the version that wrote it, or delete this TaskExecution' },
}

/** A status is written at once when this changes; the table of nodes and the words are gauges. */
export function transitionOf({ observedGeneration, state, broker, conditions }: TaskExecutionStatus): unknown {
  return [observedGeneration, state, broker, conditions?.map(({ type, status, reason }) => [type, status, reason])]
}

export function isFinal(state: TaskExecutionStatus['state']): boolean {
  return state !== undefined && state !== 'Pending' && state !== 'Running'
}

/** `summary, send queued in ai_tasks (no pool) until 04:10; notify running`; or what prevents the run. */
export function waitingOf({ execution, broker, situation, run, whereabouts }: World): string | undefined {
  switch (situation.kind) {
    case 'Hopeless':
      return undefined
    case 'NoSource':
      return `${sourceOf(execution)} (not found)`
    case 'Paused':
      return 'spec.desiredState (Paused)'
    case 'Scheduled':
      return `its start at ${kubeTime(situation.startMs)}`
    case 'NoBroker':
      return `tmb/${broker} (not found)`
    case 'NotUsable':
      return `tmb/${broker} (not usable)`
    case 'Unreachable':
      return `tmb/${broker} (unreachable)`
    case 'Unreadable':
      return `tmb/${broker} (log unreadable)`
    case 'Standby':
      return situation.heldBy === undefined ? `tmb/${broker} (standby)` : `tmb/${broker} (another cluster dispatches)`
    case 'Pending':
      return run === undefined ? `tmb/${broker} (claiming the dispatch lease)` : activeNodes(viewNodes(run), whereabouts)
    case 'Driven':
      return run === undefined ? undefined : activeNodes(viewNodes(run), whereabouts)
  }
}

/** The nodes that have begun, where they are, and their deadlines; nodes with the same words are listed together. */
export function activeNodes(nodes: readonly NodeView[], whereabouts: World['whereabouts']): string | undefined {
  const active = nodes.filter(({ state }) => state === 'Running' || state === 'Stopping')
  if (active.length === 0) return undefined
  const groups = Map.groupBy(active.slice(0, shownNodes), ({ name, untilMs }) => {
    const where = whereabouts.get(name)
    return `${where === undefined ? '' : ` ${where.words}`}${untilMs === undefined ? '' : ` until ${kubeTime(untilMs).slice(11, 16)}`}`
  })
  const shown = [...groups].map(([words, those]) => `${those.map(({ name }) => name).join(', ')}${words}`)
  const more = active.length - shownNodes
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join('; ').slice(0, 256)
}

/** The source of the run, as kubectl names it: `tdep/morning-summary`. */
export function sourceOf({ spec }: TaskExecution): string {
  const source = runSourceOf(spec)
  switch (source.kind) {
    case 'dependencyRef':
      return `tdep/${source.value.name}`
    case 'scheduleRef':
      return `tsch/${source.value.name}`
    case 'job':
      return 'job'
    case 'task':
      return `task/${source.value.type}`.slice(0, 80)
  }
}

/** The schedule that started the run, or that it refers to. */
export function scheduleOf(execution: TaskExecution): string | undefined {
  return parseSlotRun(execution)?.schedule ?? execution.spec.scheduleRef?.name
}

const [leastMs, mostMs] = [1_000, 5_000]

/**
 * How long gauges (the table of nodes, the words) wait after a write, in milliseconds: a tenth of the run's duration so far, from 1 s to 5 s.
 * A short run is seen to move, and a long one writes as rarely as other objects.
 */
export function gaugeIntervalMs({ startTime }: Pick<TaskExecutionStatus, 'startTime'>, nowMs: number): number {
  const takenMs = startTime === undefined ? 0 : nowMs - Date.parse(startTime)
  return Math.min(mostMs, Math.max(leastMs, takenMs / 10))
}
