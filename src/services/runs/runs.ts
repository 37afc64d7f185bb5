import type { Job, TaskExecution } from '../../api/index.ts'
import type { EndedJob, EndedNode } from '../../broker/index.ts'
import {
  nextRunStep,
  notePlaced,
  notePostponed,
  noteRefused,
  noteRemoved,
  type NodeEnd,
  type Run,
  type RunEntry,
  type RunKnowledge,
  type RunStep,
  tokenOfRun,
} from '../../graph/index.ts'
import type { Acted, Kind, Step } from '../engine/index.ts'
import { findEnds } from '../tracking/index.ts'
import type { LogVerdict } from './log-verdict.ts'
import type { LookedAtNodes, NodeJobs } from './node-jobs.ts'
import type { NodeRuns } from './node-runs.ts'
import {
  awaitedTasks,
  endOf,
  isActive,
  jobIdOf,
  jobOf,
  placementOf,
  placeOf,
  refOf,
  specOf,
  type TaskPlacement,
  vanishedEnd,
} from './node-queue-jobs.ts'
import { appendLog, noteStored, readLog, type RunDeps, type RunVisit } from './run-log.ts'

/**
 * What took place: entries that were stored, done jobs that were removed, and jobs that were to be taken back and continue to run: the operator
 * does not record their ends.
 */
export type RunHappening =
  | { readonly kind: 'Recorded'; readonly entries: readonly RunEntry[] }
  | { readonly kind: 'Acknowledged' | 'StillRunning'; readonly ids: readonly string[] }

/** The broker knows less than was known, and what came back with it is removed. */
export type RunLost = { readonly kind: 'Lost' }

export type ObservedRun = {
  readonly record: Run
  readonly desired: RunKnowledge['desired']
  readonly begin: RunVisit['begin']
  readonly verdict: LogVerdict
  /** Pending completions of this run. */
  readonly own: readonly EndedNode[]
  /** Those of an object that had its name before. */
  readonly strange: readonly EndedJob[]
  /** Ends of Jobs and TaskExecutions, and when to look again. */
  readonly looked: LookedAtNodes | undefined
  /** Finds what final nodes left that has to be tidied up; only called when there is nothing else to do. */
  readonly findUntidy: () => Untidy
  /** On the broker's clock. */
  readonly nowMs: number
}

type Untidy = { readonly jobs: readonly Job[]; readonly runs: readonly TaskExecution[] }

export type RunAction =
  | Exclude<RunStep, { readonly kind: 'Wait' | 'Remove' | 'Acknowledge' }>
  | { readonly kind: 'Remove'; readonly nodes: readonly string[] }
  /** By the ids of the jobs. */
  | { readonly kind: 'Acknowledge'; readonly ids: readonly string[] }
  | ({ readonly kind: 'Tidy'; readonly ids: readonly string[] } & Untidy)

/** `looked`: Jobs and TaskExecutions are looked at once in a visit, and again after what may have changed them. */
type Context = RunDeps & RunVisit & { looked: LookedAtNodes | undefined; readonly acknowledged: Set<string> }
type RunActed = Acted<Run, RunHappening, RunLost>

/**
 * Carries out what `nextRunStep` asks for. It makes no decisions.
 *
 * Guarantees, beside those of the engine: every append is a compare-and-swap on the length that was observed, with the proof. A log that
 * cannot be read (TM_LEDGER_UNREADABLE) is never written to; one that is shorter than it was is never continued. An end is counted in the
 * append that records it.
 */
export function createRunKind(deps: RunDeps, visit: RunVisit): Kind<Run, ObservedRun, RunAction, RunHappening, RunLost> {
  const context: Context = { ...deps, ...visit, looked: undefined, acknowledged: new Set() }
  return {
    observe: (known) => observe(context, known),
    step: nextStepOf,
    act: (observed, action) => act(context, observed, action),
  }
}

async function observe(context: Context, known: Run | undefined): Promise<ObservedRun | 'Unwanted'> {
  const { broker, brokerClock, memory, jobs, runs, begin } = context
  if (context.isWanted?.() === false) return 'Unwanted'
  const record = known ?? (await readLog(context))
  const verdict = memory.log?.verdict ?? 'Continued'
  const desired = verdict === 'Continued' ? context.desired : 'Deleted'
  context.looked ??= desired === 'Deleted' ? undefined : await look(context, record)
  const findUntidy = () => ({ jobs: jobs?.findUntidy(record) ?? [], runs: runs?.findUntidy(record) ?? [] })
  const nowMs = brokerClock.now(broker)
  return { record, desired, begin, verdict, ...pendingOf(context, record), looked: context.looked, findUntidy, nowMs }
}

async function look(context: Context, record: Run): Promise<LookedAtNodes> {
  const [vanished, ...looks] = await Promise.all([
    findVanished(context, record),
    context.jobs?.look(record, context),
    context.runs?.look(record, context),
  ])
  const againAfterMs = Math.min(...looks.map((each) => each?.againAfterMs ?? Infinity))
  const ends = [...looks.flatMap((each) => each?.ends ?? []), ...vanished]
  return { ends, againAfterMs: againAfterMs === Infinity ? undefined : againAfterMs }
}

/**
 * Returns the ends of nodes whose jobs somebody missed, and of which the broker has nothing: no other end of them will arrive. One that had ended
 * before it could be stopped counts as stopped.
 */
async function findVanished(context: Context, run: Run): Promise<readonly NodeEnd[]> {
  const found = context.whereabouts?.()
  if (found === undefined || found.size === 0) return []
  const missing = awaitedTasks(run).filter(({ name }) => found.get(jobIdOf(context, run, name))?.state === 'Absent')
  if (missing.length === 0) return []
  const states = await context.broker.lookAtPlaced(missing.map(({ name }) => refOf(context, run, name)))
  const vanished = missing.filter((_, index) => states[index]?.state === 'Absent')
  for (const { name, isStopping } of vanished) if (isStopping) noteRemoved(run, name, 'Absent')
  return vanished.flatMap(({ name, isStopping }) => (isStopping ? [] : [vanishedEnd(name)]))
}

function pendingOf({ pendingCompletions, acknowledged }: Context, run: Run): Pick<ObservedRun, 'own' | 'strange'> {
  const own: EndedNode[] = []
  const strange: EndedJob[] = []
  for (const end of pendingCompletions()) {
    if (acknowledged.has(end.id)) continue
    if (end.kind === 'Node' && end.token === tokenOfRun(run)) own.push(end)
    else strange.push(end)
  }
  return { own, strange }
}

function nextStepOf({ record, desired, begin, own, strange, looked, findUntidy, nowMs }: ObservedRun): Step<RunAction> {
  const ended = [...own.map(endOf), ...(looked?.ends ?? []).filter(({ node }) => isActive(record, node))]
  const step = nextRunStep(record, { desired, begin, ended }, nowMs)
  switch (step.kind) {
    case 'Wait': {
      const untidy = findUntidy()
      const ids = strange.map(({ id }) => id)
      if (ids.length + untidy.jobs.length + untidy.runs.length > 0)
        return { kind: 'Act', changes: 'Ends', action: { kind: 'Tidy', ids, ...untidy } }
      const lookAtMs = looked?.againAfterMs === undefined ? Infinity : nowMs + looked.againAfterMs
      const untilMs = Math.min(step.untilMs ?? Infinity, lookAtMs)
      return { kind: 'Wait', untilMs: untilMs === Infinity ? undefined : untilMs }
    }
    case 'Acknowledge': {
      const ids = [...own.filter(({ node }) => step.nodes.includes(node)), ...strange].map(({ id }) => id)
      return { kind: 'Act', changes: 'Ends', action: { kind: 'Acknowledge', ids } }
    }
    case 'Append':
    case 'Delete':
      return { kind: 'Act', changes: 'Record', action: step }
    case 'Place':
      return { kind: 'Act', changes: 'Effects', action: step }
    case 'Remove':
      return { kind: 'Act', changes: 'Effects', action: { kind: 'Remove', nodes: step.nodes } }
  }
}

async function act(context: Context, observed: ObservedRun, action: RunAction): Promise<RunActed> {
  const { record } = observed
  switch (action.kind) {
    case 'Append':
      return append(context, record, action)
    case 'Place':
      return place(context, record, action.nodes)
    case 'Remove':
      return remove(context, record, action.nodes)
    case 'Acknowledge':
      return acknowledge(context, action.ids)
    case 'Tidy': {
      const acted: RunActed = action.ids.length === 0 ? { outcome: 'Done' } : await acknowledge(context, action.ids)
      if (acted.outcome === 'Fenced') return acted
      await Promise.all([context.jobs?.tidy(record, action.jobs, context), context.runs?.tidy(record, action.runs, context)])
      return acted
    }
    case 'Delete':
      return deleteLog(context, observed)
  }
}

async function append(context: Context, run: Run, { what, entries }: Extract<RunStep, { kind: 'Append' }>): Promise<RunActed> {
  const outcome = await appendLog(context, run, what, entries)
  if (outcome === 'Fenced') return { outcome }
  return outcome === 'Written' ? { outcome: 'Done', record: run, happened: [{ kind: 'Recorded', entries }] } : { outcome: 'Done' }
}

async function place(context: Context, run: Run, nodes: Extract<RunStep, { kind: 'Place' }>['nodes']): Promise<RunActed> {
  context.looked = undefined
  const placements = nodes.map(placementOf)
  for (const placement of placements) if (placement.kind === 'Refused') noteRefused(run, placement.name, placement.refusal)
  const tasks = placements.filter((placement) => placement.kind === 'Queue')
  if (tasks.length > 0 && (await placeTasks(context, run, tasks)) === 'Fenced') return { outcome: 'Fenced' }
  const jobs = placements.filter((placement) => placement.kind === 'Kubernetes')
  if (jobs.length > 0) await placeJobs(context, run, jobs)
  const runs = placements.filter((placement) => placement.kind === 'Executions')
  if (runs.length > 0) await placeRuns(context, run, runs)
  return { outcome: 'Done' }
}

async function placeTasks(context: Context, run: Run, tasks: readonly TaskPlacement[]): Promise<'Done' | 'Fenced'> {
  const { broker, brokerClock, proof, reachPoint = () => undefined } = context
  const jobs = tasks.map(({ name, task }) => jobOf(context, run, name, task, brokerClock.now(broker)))
  reachPoint('before place')
  const outcome = await broker.placeJobs(jobs, brokerClock.now(broker), proof)
  reachPoint('after place')
  if (outcome === 'Fenced') return 'Fenced'
  notePlaced(
    run,
    tasks.map(({ name }) => name),
  )
  return 'Done'
}

async function placeJobs(context: Context, run: Run, nodes: Parameters<NodeJobs['place']>[1]): Promise<void> {
  const { broker, brokerClock } = context
  const nowMs = brokerClock.now(broker)
  for (const { node, answer } of await jobsOf(context).place(run, nodes, context)) {
    if (answer.kind === 'Refused') noteRefused(run, node, answer)
    else if (answer.kind === 'Postponed') notePostponed(run, node, answer, nowMs)
    else notePlaced(run, [node])
  }
}

async function placeRuns(context: Context, run: Run, nodes: Parameters<NodeRuns['place']>[1]): Promise<void> {
  const { broker, brokerClock, runs } = context
  if (runs === undefined) throw new TypeError(`nothing creates the TaskExecutions of ${context.run}`)
  const nowMs = brokerClock.now(broker)
  for (const { node, answer } of await runs.place(run, nodes, context)) {
    if (answer.kind === 'Refused') noteRefused(run, node, { reason: 'ExecutionRefused', message: answer.message })
    else if (answer.kind === 'Postponed') notePostponed(run, node, answer, nowMs)
    else notePlaced(run, [node])
  }
}

async function remove(context: Context, run: Run, nodes: readonly string[]): Promise<RunActed> {
  const { broker, proof, reachPoint = () => undefined } = context
  context.looked = undefined
  reachPoint('before remove')
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const spec = specOf(run, node)
      switch (spec === undefined ? 'Queue' : placeOf(spec)) {
        case 'Queue':
          return { node, answer: await broker.cancelPlaced(refOf(context, run, node), proof) }
        case 'Kubernetes':
          return { node, answer: await jobsOf(context).remove(run, node, context) }
        case 'Executions':
          return { node, answer: (await context.runs?.remove(run, node, context)) ?? 'Absent' }
      }
    }),
  )
  reachPoint('after remove')
  for (const { node, answer } of answers) {
    if (answer === 'Fenced') return { outcome: 'Fenced' }
    noteRemoved(run, node, answer)
  }
  const running = answers.filter(({ answer }) => answer === 'Running').map(({ node }) => jobIdOf(context, run, node))
  return { outcome: 'Done', happened: running.length === 0 ? [] : [{ kind: 'StillRunning', ids: running }] }
}

async function acknowledge(context: Context, ids: readonly string[]): Promise<RunActed> {
  const { broker, doneQueue, proof, acknowledged, reachPoint = () => undefined } = context
  reachPoint('before acknowledge')
  const outcome = await broker.acknowledgeEnded(
    ids.map((id) => ({ id, doneQueue })),
    proof,
  )
  reachPoint('after acknowledge')
  if (outcome === 'Fenced') return { outcome }
  for (const id of ids) acknowledged.add(id)
  return { outcome, happened: [{ kind: 'Acknowledged', ids }] }
}

/** Removes the ends that will never be recorded before the log: a process that dies in between begins again. */
async function deleteLog(context: Context, { record, verdict }: ObservedRun): Promise<RunActed> {
  const { broker, brokerClock, doneQueue, proof, reachPoint = () => undefined } = context
  const { wanted } = await findEnds(broker, doneQueue, ({ owner }) => owner === context.run)
  if (wanted.length > 0) {
    return acknowledge(
      context,
      wanted.map(({ id }) => id),
    )
  }
  if (record.length > 0) {
    reachPoint('before delete')
    const { outcome } = await brokerClock.timed(broker, () => broker.deleteRun(context.run, record.length, proof))
    reachPoint('after delete')
    if (outcome === 'Fenced') return { outcome: 'Fenced' }
    if (outcome !== 'Written') return { outcome: 'Done' }
    noteStored(context, 0)
  }
  if (context.desired === 'Deleted') return { outcome: 'Deleted' }
  return { outcome: verdict === 'Behind' ? { stopped: { kind: 'Lost' } } : 'Done' }
}

function jobsOf({ jobs, run }: Context): NodeJobs {
  if (jobs === undefined) throw new TypeError(`nothing runs the Jobs of ${run}`)
  return jobs
}
