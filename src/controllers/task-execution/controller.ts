import { executionEvent, isTerminating, type TaskExecution, taskExecutions, type TaskExecutionStatus } from '../../api/index.ts'
import { soonest } from '../../runtime/index.ts'
import { retryMs } from '../../services/engine/index.ts'
import type { JobsProgress, RunHappening } from '../../services/runs/index.ts'
import { closingMs, createStatusWriter, type StatusWriter } from '../../services/status/index.ts'
import { act, expire, followEnds, lostWords, nothingDone, remove } from './act.ts'
import { decide, hasPlace, isPlaceToBeNoted } from './decide.ts'
import { blockedEvents, continuedWords, entryEvents } from './events.ts'
import {
  type Context,
  forgetCalendars,
  gather,
  type Gathered,
  type Memory,
  namesOf,
  remember,
  type TaskExecutionDeps,
  worldOf,
} from './gather.ts'
import { countRun, openRun } from './metrics.ts'
import { gaugeIntervalMs, isFinal, statusOf, transitionOf } from './status.ts'

type Result = { readonly requeueAfterMs?: number }
/** What the looks of one process share. */
type State = {
  readonly deps: TaskExecutionDeps
  readonly memories: Map<string, Memory>
  readonly writer: StatusWriter<TaskExecution>
}

export function createTaskExecutionController(deps: TaskExecutionDeps): { reconcile(key: string, context: Context): Promise<Result> } {
  const writer = createStatusWriter<TaskExecution>({
    client: deps.client,
    resource: taskExecutions,
    fieldManager: 'taskmill-task-execution',
    clock: deps.clock,
    transitionOf,
    budget: deps.statusBudget,
    gaugeIntervalMs: (status) => gaugeIntervalMs(status, deps.clock.now()),
  })
  const state: State = { deps, memories: new Map(), writer }
  return {
    async reconcile(key, context) {
      const execution = deps.executions.get(key)
      const former = state.memories.get(key)
      // A deletion and a new object of the same name may arrive as one change.
      const isReplaced = former !== undefined && execution !== undefined && former.execution.metadata.uid !== execution.metadata.uid
      if (isReplaced) await reconcileGone(state, key, undefined, context)
      if (execution === undefined || isTerminating(execution)) return reconcileGone(state, key, execution, context)
      // It goes in a moment, and nothing can be created for its nodes.
      if (deps.statusBudget.isClosing(execution.metadata)) return { requeueAfterMs: closingMs }
      return reconcileObject(state, key, execution, context)
    },
  }
}

async function reconcileObject(state: State, key: string, execution: TaskExecution, context: Context): Promise<Result> {
  const { deps, writer } = state
  const gathered = gather(deps, key, execution, writer.latest(key, execution))
  // Their first answer asks for another look.
  if (!gathered.source.ok && gathered.source.isUnread === true) return {}
  const memory = remember(deps, state.memories, key, gathered)
  openRun(deps.metrics, execution, gathered.dependency)
  return isFinal(gathered.status?.state)
    ? reconcileFinal(state, key, memory, gathered, context)
    : reconcileRun(state, key, memory, gathered, context)
}

/** A run that has ended costs nothing, unless late ends arrive or Jobs have to be tidied up. */
async function reconcileFinal({ deps, writer }: State, key: string, memory: Memory, gathered: Gathered, context: Context): Promise<Result> {
  const { run } = namesOf(deps.installation, key)
  if (deps.tracking.hasUnclaimed(run)) followEnds(deps, key, memory)
  if (deps.tracking.ended(run).length === 0 && !memory.jobs.hasUntidy() && !memory.runs.hasUntidy()) {
    deps.whereabouts.forget(run)
    // Jobs of stopped nodes that end later, and those that a restored broker brings back, are announced all the same.
    deps.tracking.untrack(run)
    await memory.connection.release()
  } else if (hasPlace(gathered)) {
    const { happened, situation } = await act(deps, key, memory, decide(gathered), context)
    reportHappenings(deps, key, gathered.execution, happened)
    if (situation.kind === 'Failed') throw situation.error
  }
  // As it was written last, if somebody has edited it since.
  if (gathered.status !== undefined) await writer.write(key, gathered.execution, gathered.status, context.signal)
  return expire(deps, gathered.execution, gathered.status?.finishTime, context)
}

async function reconcileRun(state: State, key: string, memory: Memory, gathered: Gathered, context: Context): Promise<Result> {
  const { deps, writer } = state
  const { execution, status: before } = gathered
  if (isPlaceToBeNoted(gathered)) {
    const world = worldOf(deps, key, memory, gathered, { kind: 'Pending' }, undefined, { jobs: [] })
    await writeStatus(state, key, execution, statusOf(world), context)
  }
  const decision = decide(gathered)
  const acted = hasPlace(gathered) ? await act(deps, key, memory, decision, context) : nothingDone(decision)
  reportHappenings(deps, key, execution, acted.happened)
  const { situation } = acted
  if (situation.kind === 'Failed') throw situation.error
  if (situation.kind === 'Pending' && deps.engine.isUndecided(memory) && before?.conditions !== undefined)
    return soonest([acted.againAfterMs])

  const run = memory.record !== undefined && memory.record.length > 0 ? memory.record : undefined
  const progress: JobsProgress = run === undefined ? { jobs: [] } : await memory.jobs.observeProgress(run, context)
  const world = worldOf(deps, key, memory, gathered, situation, run, progress)
  const isTakenOver = before?.startTime === undefined && world.isContinued
  const isNewlyLost = acted.isLost && !isFinal(writer.latest(key, execution)?.state)
  const after = statusOf(world)
  const written = await writeStatus(state, key, execution, after, context)
  if (isNewlyLost) deps.events.event(execution, executionEvent('LedgerRegressed', lostWords))
  if (isTakenOver) deps.events.event(execution, executionEvent('Continued', continuedWords))
  for (const event of blockedEvents(before, after)) deps.events.event(execution, event)
  const waits = [acted.againAfterMs, written.againAfterMs, progress.againAfterMs]
  if (!isFinal(after.state)) return soonest(waits)
  if (!isTakenOver) countRun(deps.metrics, execution, after)
  return soonest([...waits, (await expire(deps, execution, after.finishTime, context)).requeueAfterMs])
}

async function writeStatus(
  { deps, writer }: State,
  key: string,
  execution: TaskExecution,
  status: TaskExecutionStatus,
  { signal }: Context,
) {
  deps.reachPoint('before status')
  const written = await writer.write(key, execution, status, signal)
  deps.reachPoint('after status')
  return written
}

/** Events, metrics and acknowledgements of what took place, also if the look failed half-way: its error is thrown afterwards. */
function reportHappenings(deps: TaskExecutionDeps, key: string, execution: TaskExecution, happened: readonly RunHappening[]): void {
  for (const each of happened) {
    if (each.kind === 'Acknowledged') deps.tracking.acknowledged(namesOf(deps.installation, key).run, each.ids)
    if (each.kind !== 'Recorded') continue
    for (const event of entryEvents(each.entries, execution)) deps.events.event(execution, event)
    for (const { kind } of each.entries) deps.log.debug({ execution: key, kind }, 'a run has changed')
  }
}

/** `terminating`: its deletion has begun, and somebody still holds it. */
async function reconcileGone(
  { deps, memories, writer }: State,
  key: string,
  terminating: TaskExecution | undefined,
  context: Context,
): Promise<Result> {
  const memory =
    terminating === undefined
      ? memories.get(key)
      : remember(deps, memories, key, gather(deps, key, terminating, writer.latest(key, terminating)))
  const { run } = namesOf(deps.installation, key)
  try {
    const removal = memory === undefined ? undefined : await remove(deps, key, memory, context)
    if (memory !== undefined) reportHappenings(deps, key, memory.execution, removal?.happened ?? [])
    if (removal?.isComplete === true) return {}
    if (terminating !== undefined) return { requeueAfterMs: retryMs.unreachable }
    deps.orphanedData.lookAgain()
    return {}
  } finally {
    deps.tracking.untrack(run)
    deps.whereabouts.forget(run)
    forgetCalendars(deps, key)
    writer.forget(key)
    if (terminating === undefined) memories.delete(key)
  }
}
