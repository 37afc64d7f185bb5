/**
 * Decides the next step of a run: pure, from its log, what was learned since, and the time. The caller carries out the
 * step and asks again, until the answer is to wait. One append carries everything that can be decided now: ends, and
 * the starts that follow from them.
 */
import { errorMessage } from '../errors/index.ts'
import type { Graph } from './compile.ts'
import { decideNode, effectOf, endStoppedNode, toEndedEntry, toFinishedEntry } from './entries.ts'
import { type Begun, begunWith, type Ended, type LaterEntry, type NodeEnd, type RunEntry, type StopReason } from './log.ts'
import type { Effect } from './node-expressions.ts'
import { beginRun, createRun, type Run } from './run.ts'
import { type RunState, applyEntryTo, type NodeState } from './transitions.ts'

/** Bounded, because results may be large. */
const maxEndsAtOnce = 100
/** Bounded, because payloads may be large. */
const maxEffectsAtOnce = 50

export function nextRunStep(run: Run, knowledge: RunKnowledge, nowMs: number): RunStep {
  if (knowledge.desired === 'Deleted' || run.state?.totals.isDeleting === true) return deleteStep(run, knowledge, nowMs)
  // What has not been acknowledged comes from jobs that were stopped, or from a broker that was restored.
  if (run.archived !== undefined) return acknowledgeEnds(knowledge) ?? { kind: 'Wait' }
  const { state, begun } = run
  if (state === undefined || begun === undefined) return beginStep(knowledge, nowMs)
  return (
    decideEntries(run, state, begun, knowledge, nowMs) ??
    placeEffects(run, state, begun, nowMs) ??
    removeEffects(run, state) ??
    acknowledgeEnds(knowledge) ?? { kind: 'Wait', untilMs: nextDeadline(run, state, begun) }
  )
}

/**
 * Removes what has not ended, acknowledges the ends, and deletes the log last. The deletion is recorded first: an
 * object of the same name that is created meanwhile must not continue a log whose ends were acknowledged.
 */
function deleteStep(run: Run, knowledge: RunKnowledge, nowMs: number): RunStep {
  const { isDeleting, finished } = run.state?.totals ?? {}
  // A finished run waits for no end, so nothing has to be recorded.
  if (run.state !== undefined && isDeleting !== true && finished === undefined) {
    return { kind: 'Append', what: 'forget', entries: [{ v: 1, kind: 'Deleting', atMs: nowMs }] }
  }
  const nodes = namesOf(
    run.state,
    [...run.active].filter((index) => !run.removed.has(index)),
  )
  return nodes.length > 0 ? { kind: 'Remove', nodes } : (acknowledgeEnds(knowledge) ?? { kind: 'Delete' })
}

function beginStep(knowledge: RunKnowledge, nowMs: number): RunStep {
  if (knowledge.begin === undefined) return acknowledgeEnds(knowledge) ?? { kind: 'Wait' }
  const { token, graph, notBeforeMs = -Infinity } = knowledge.begin
  // A run that is cancelled before its time begins at once, and ends as Cancelled without a start.
  if (knowledge.desired === 'Paused') return acknowledgeEnds(knowledge) ?? { kind: 'Wait' }
  if (nowMs < notBeforeMs && knowledge.desired === 'Running') return acknowledgeEnds(knowledge) ?? { kind: 'Wait', untilMs: notBeforeMs }
  const begun = begunWith(token, graph.plan, nowMs)
  const run = createRun()
  beginRun(run, begun, graph)
  const entries = run.state === undefined ? [] : draftFor(run, run.state, begun, { ...knowledge, ended: [] }, nowMs).entries
  return { kind: 'Append', what: 'begin', entries: [begun, ...entries] }
}

/** Appends everything that can be decided now, and everything that follows from it. */
function decideEntries(run: Run, state: RunState, begun: Begun, knowledge: RunKnowledge, nowMs: number): RunStep | undefined {
  const { what, entries } = draftFor(run, state, begun, knowledge, nowMs)
  return what === undefined ? undefined : { kind: 'Append', what, entries }
}

function draftFor(run: Run, state: RunState, begun: Begun, knowledge: RunKnowledge, nowMs: number): Draft {
  const draft = draftOn(run, state)
  recordEnds(draft, knowledge, nowMs)
  endRefused(draft, run, nowMs)
  notePlacements(draft, run, nowMs)
  endStopped(draft, run, nowMs)
  stopRun(draft, begun, knowledge, nowMs)
  stopNodes(draft, run, nowMs)
  advance(draft, begun, knowledge, nowMs)
  return draft
}

/**
 * An end makes its node final, in whatever state the node is, because its effect has happened. A real end also wins
 * over a stop that is in progress.
 */
function recordEnds(draft: Draft, { ended }: RunKnowledge, nowMs: number): void {
  for (const end of ended) {
    const index = draft.graph.indexOf.get(end.node)
    if (index === undefined || draft.node(index).phase === 'Final') continue
    if (draft.entries.length >= maxEndsAtOnce) return
    draft.add('end', toEndedEntry(end, nowMs))
  }
}

function endRefused(draft: Draft, run: Run, nowMs: number): void {
  for (const [index, { reason, message }] of run.refused) {
    if (draft.isFull || draft.node(index).phase !== 'Started') continue
    draft.add('refused', { ...endedAs('Failed', nameOf(draft, index), nowMs), reason, message })
  }
}

function notePlacements(draft: Draft, run: Run, nowMs: number): void {
  for (const index of run.unnoted) {
    if (draft.isFull || draft.node(index).phase !== 'Started') continue
    draft.add('placed', { v: 1, kind: 'Placed', atMs: nowMs, node: nameOf(draft, index) })
  }
}

function endStopped(draft: Draft, run: Run, nowMs: number): void {
  for (const [index, removal] of run.removed) {
    const { phase, stopping } = draft.node(index)
    // The node ended while it was being stopped; its end was delivered or will be.
    if (draft.isFull || phase !== 'Stopping' || stopping === undefined || removal === 'Ended') continue
    const spec = draft.graph.nodes[index]?.spec
    if (spec !== undefined) draft.add('stopped', endStoppedNode(spec, stopping, removal, nowMs))
  }
}

/** Once all nodes are final, a cancellation or a timeout comes too late. */
function stopRun(draft: Draft, begun: Begun, { desired }: RunKnowledge, nowMs: number): void {
  const { pending, cancellingAtMs, timedOutAtMs } = draft.totals
  if (draft.isFull || pending === 0 || cancellingAtMs !== undefined || timedOutAtMs !== undefined) return
  if (desired === 'Cancelled') draft.add('cancel', { v: 1, kind: 'Cancelling', atMs: nowMs })
  else if (nowMs >= runDeadline(begun)) draft.add('timeout', { v: 1, kind: 'TimedOut', atMs: nowMs })
}

function stopNodes(draft: Draft, run: Run, nowMs: number): void {
  const { pending, cancellingAtMs, timedOutAtMs } = draft.totals
  const stop = (index: number, why: StopReason): void => {
    if (draft.isFull || draft.node(index).phase !== 'Started') return
    draft.add('stop', { v: 1, kind: 'Stopping', atMs: nowMs, node: nameOf(draft, index), why })
  }
  if (pending > 0 && cancellingAtMs !== undefined) for (const index of run.running) stop(index, 'Cancelled')
  else if (pending > 0 && timedOutAtMs !== undefined) for (const index of run.running) stop(index, 'TimedOut')
  else for (const { node } of run.deadlines.passed(nowMs)) stop(node, 'TimedOut')
}

/** Decides every node that can be decided, up to the end of the run; while it is paused, only the end. */
function advance(draft: Draft, begun: Begun, { desired }: RunKnowledge, nowMs: number): void {
  // A run that is being cancelled or out of time goes on to its end.
  const isPaused = desired === 'Paused' && draft.totals.cancellingAtMs === undefined && draft.totals.timedOutAtMs === undefined
  for (const index of isPaused ? [] : draft.ready) {
    if (draft.isFull) return
    if (draft.node(index).phase === 'Pending') draft.add('advance', decideNode(draft, begun, index, nowMs))
  }
  const { pending, pendingFinally, finished } = draft.totals
  if (!draft.isFull && pending + pendingFinally === 0 && finished === undefined) draft.add('advance', toFinishedEntry(draft, nowMs))
}

/**
 * The process that wrote the intent may have died before or after the effect. So the effect is repeated; if it had
 * happened, that does nothing.
 */
function placeEffects(run: Run, state: RunState, begun: Begun, nowMs: number): RunStep | undefined {
  const nodes: Extract<RunStep, { kind: 'Place' }>['nodes'][number][] = []
  for (const index of run.unplaced) {
    if (nodes.length === maxEffectsAtOnce) break
    if ((run.postponed.get(index)?.untilMs ?? 0) > nowMs) continue
    const name = nameOf(state, index)
    try {
      nodes.push({ name, ...effectOf(state, begun, index) })
    } catch (error) {
      // Another version of Taskmill evaluated the expressions and decided that the node could start.
      const entry: Ended = { ...endedAs('Failed', name, nowMs), reason: 'InvalidExpression', message: errorMessage(error) }
      return { kind: 'Append', what: 'refused', entries: [entry] }
    }
  }
  return nodes.length === 0 ? undefined : { kind: 'Place', nodes }
}

function removeEffects(run: Run, state: RunState): RunStep | undefined {
  const nodes = namesOf(state, [...run.unremoved])
  return nodes.length === 0 ? undefined : { kind: 'Remove', nodes }
}

/** All remaining ends are recorded, or no longer matter: the node was stopped, or the end arrived twice. */
function acknowledgeEnds({ ended }: RunKnowledge): RunStep | undefined {
  return ended.length === 0 ? undefined : { kind: 'Acknowledge', nodes: [...new Set(ended.map(({ node }) => node))] }
}

/** The earliest time (Unix ms) at which something may have to be done although nothing happens. */
function nextDeadline(run: Run, { totals }: RunState, begun: Begun): number | undefined {
  const isOpen = totals.pending > 0 && totals.cancellingAtMs === undefined && totals.timedOutAtMs === undefined
  const postponed = [...run.postponed.values()].map(({ untilMs }) => untilMs)
  const atMs = Math.min(isOpen ? runDeadline(begun) : Infinity, run.deadlines.first()?.atMs ?? Infinity, ...postponed)
  return atMs === Infinity ? undefined : atMs
}

function runDeadline({ atMs, plan }: Begun): number {
  return plan.timeoutSeconds === undefined ? Infinity : atMs + plan.timeoutSeconds * 1000
}

function namesOf(state: RunState | undefined, indexes: readonly number[]): readonly string[] {
  return state === undefined ? [] : indexes.slice(0, maxEffectsAtOnce).map((index) => nameOf(state, index))
}

function nameOf({ graph }: RunState, index: number): string {
  return graph.nodes[index]?.spec.name ?? ''
}

function endedAs(outcome: 'Failed', node: string, atMs: number): Pick<Ended, 'v' | 'kind' | 'atMs' | 'node' | 'outcome'> {
  return { v: 1, kind: 'Ended', atMs, node, outcome }
}

/** What is known when a step is decided, beside the run itself. */
export type RunKnowledge = {
  /**
   * `Paused`: nothing new starts. `Deleted`: remove what was started and delete the log. A deletion that has begun in the
   * log continues, whatever is desired.
   */
  readonly desired: 'Running' | 'Paused' | 'Cancelled' | 'Deleted'
  /** Ends that have arrived and are not acknowledged. */
  readonly ended: readonly NodeEnd[]
  /** What a run without a log starts with; undefined: the run must not start (again). */
  readonly begin?: RunBeginning | undefined
}

/** `notBeforeMs` (Unix ms): the run waits until then; undefined: it starts at once. */
export type RunBeginning = { readonly token: string; readonly graph: Graph; readonly notBeforeMs?: number | undefined }

export type RunStep =
  /** Append to the log by compare-and-swap on `run.length`; `what` names the reason. */
  | { readonly kind: 'Append'; readonly what: AppendName; readonly entries: readonly RunEntry[] }
  /** Create the effects, each by its id or name. An effect that exists or has ended is left alone. */
  | { readonly kind: 'Place'; readonly nodes: readonly ({ readonly name: string } & Effect)[] }
  | { readonly kind: 'Remove' | 'Acknowledge'; readonly nodes: readonly string[] }
  /** Delete the log itself. */
  | { readonly kind: 'Delete' }
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }

/** Why an append is made: its first entry. `advance`: the rest of what did not fit into one append. */
export type AppendName = 'begin' | 'placed' | 'end' | 'refused' | 'stopped' | 'cancel' | 'timeout' | 'stop' | 'advance' | 'forget'

/**
 * The entries that are being collected, and the run as it will be with them. The run itself does not change before the
 * append has succeeded.
 */
type Draft = RunState & {
  readonly entries: readonly RunEntry[]
  readonly what: AppendName | undefined
  /** No more entries fit into one append. */
  readonly isFull: boolean
  add(what: AppendName, entry: LaterEntry): void
  /** Nodes that can be decided; grows while entries are added. */
  readonly ready: Iterable<number>
}

const maxEntries = 500

function draftOn(run: Run, state: RunState): Draft {
  const changed = new Map<number, NodeState>()
  const entries: RunEntry[] = []
  const added: number[] = []
  let what: AppendName | undefined
  const draft: Draft = {
    graph: state.graph,
    totals: state.totals,
    node: (index) => changed.get(index) ?? state.node(index),
    setNode: (index, node) => void changed.set(index, node),
    makeReady: (index) => void added.push(index),
    entries,
    get what() {
      return what
    },
    get isFull() {
      return entries.length >= maxEntries
    },
    add(name, entry) {
      what ??= name
      entries.push(entry)
      applyEntryTo(draft, entry)
    },
    ready: {
      *[Symbol.iterator]() {
        yield* run.ready
        yield* added
      },
    },
  }
  return draft
}
