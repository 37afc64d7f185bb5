import { finalStateOf, taskExecutions, type TaskExecution } from '../../api/index.ts'
import { annotations, type Slot, slotJobId } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { Informer, KubeClient } from '../../kube/index.ts'
import { isRecorded, slotObjectName, parseSlotRun, type SlotStart } from '../../plans/index.ts'
import { type CancelResult, type RunObservation, executionsPlace, queueOfGeneration, type RunOutcome } from '../../scheduling/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import { createExecutions, type ExecutionRef, isGoing } from '../executions/index.ts'
import { makeOfSlots, nothingAcknowledged, type SlotExecutor, type SlotRef, stillAmong } from './slot-executor.ts'

/** Remembered between two visits; if it is lost, some requests are sent again. */
export type ExecutionSlotsMemory = {
  /** UIDs of runs that were marked as recorded, until the cache shows the mark; undefined: none. */
  marked?: Set<string> | undefined
}

export type ExecutionSlotsDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'apply' | 'delete'>
  /** `byUnrecordedSlot`: runs that slots of a schedule started, and whose ends are not recorded. */
  readonly executions: Pick<Informer<TaskExecution, 'byUnrecordedSlot'>, 'get' | 'byIndex'>
  readonly namespace: string
  readonly schedule: string
  readonly ledger: string
  /** What a slot starts by the present template; undefined: nothing is placed any more. */
  readonly start: SlotStart | undefined
  readonly memory: ExecutionSlotsMemory
  readonly signal: AbortSignal
  readonly reachPoint?: KillPointHook | undefined
}

const fieldManager = 'taskmill-task-schedule'
const fieldManagers = { create: fieldManager, cancel: 'taskmill-task-schedule-cancel' }

/**
 * Runs of slots as TaskExecutions, one for each slot, under a name that follows from the slot. For one visit: each object is requested from
 * the API server at most once.
 *
 * Guarantees: a run that the cache does not show counts as gone only if the API server says so. `ttlSecondsAfterFinished` begins when a run
 * is marked as recorded, so that no end is lost.
 */
export function createExecutionSlots(deps: ExecutionSlotsDeps): SlotExecutor {
  const { client, executions, namespace, schedule, ledger, start, memory, signal, reachPoint = () => undefined } = deps
  /** The API server's answers about runs that the cache did not show. */
  const asked = new Map<Slot, TaskExecution | undefined>()
  const takenBack = new Set<Slot>()
  const nameOf = (slot: Slot) => slotObjectName(schedule, slotJobId(ledger, slot))

  function ours(object: TaskExecution | undefined, slot: Slot): TaskExecution | undefined {
    const run = object === undefined ? undefined : parseSlotRun(object)
    return run?.ledger === ledger && run.slot === slot ? object : undefined
  }

  const known = (slot: Slot) => ours(executions.get(`${namespace}/${nameOf(slot)}`), slot) ?? asked.get(slot)
  const own = createExecutions({ client, namespace, fieldManagers, reachPoint })
  const refOf = (slot: Slot): ExecutionRef => ({ name: nameOf(slot), of: 'slot', isOurs: (object) => ours(object, slot) !== undefined })
  const unrecorded = () => executions.byIndex('byUnrecordedSlot', `${namespace}/${schedule}`)

  function makeExecutions(slots: readonly SlotRef[]) {
    if (start?.kind !== 'Graph') throw new TypeError('there is no graph to start')
    return makeOfSlots('spec.parameters', slots, ({ slot }) => start.executionOf(ledger, slot))
  }

  async function takeBack(slot: Slot): Promise<'Removed' | 'Started' | 'Absent'> {
    const taken = await own.takeBack(refOf(slot), { signal })
    if (taken === 'Removed') takenBack.add(slot)
    return taken
  }

  async function cancel(slot: Slot): Promise<CancelResult> {
    const answer = await own.cancel(refOf(slot), { signal })
    if (answer !== 'Removed') return answer
    takenBack.add(slot)
    return 'Cancelled'
  }

  async function mark({ metadata }: TaskExecution): Promise<void> {
    const { name, uid = '' } = metadata
    reachPoint('before mark execution')
    try {
      const marks = { [annotations.recorded]: 'true' }
      await client.apply(taskExecutions, { metadata: { namespace, name, uid, annotations: marks } }, { fieldManager, signal })
    } catch (error) {
      // It is gone, or another object has its name.
      if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) throw error
    }
    reachPoint('after mark execution')
    const marked = (memory.marked ??= new Set())
    marked.add(uid)
  }

  function endsOf(waitedFor: readonly Slot[], nowMs: number): readonly RunOutcome[] {
    const outcomes = new Map<Slot, RunOutcome>()
    for (const object of unrecorded()) {
      const slot = parseSlotRun(object)?.slot
      const outcome =
        slot === undefined || memory.marked?.has(object.metadata.uid ?? '') === true ? undefined : outcomeOf(object, slot, nowMs)
      if (slot !== undefined && outcome !== undefined && ours(object, slot) !== undefined) outcomes.set(slot, outcome)
    }
    // Recorded ends too: a broker that was restored may have lost them.
    for (const slot of waitedFor) {
      const object = known(slot)
      if (takenBack.has(slot)) continue
      const outcome = object === undefined || isGoing(object) ? removed(nameOf(slot), slot, nowMs) : outcomeOf(object, slot, nowMs)
      if (outcome !== undefined) outcomes.set(slot, outcome)
    }
    return [...outcomes.values()]
  }

  return {
    isFor: (generation) => queueOfGeneration(generation) === executionsPlace,
    async observe(begun, nowMs) {
      const waitedFor = begun.map(({ slot }) => slot)
      const unknown = waitedFor.filter((slot) => known(slot) === undefined && !asked.has(slot))
      await Promise.all(unknown.map(async (slot) => asked.set(slot, await own.read(refOf(slot), { signal }))))
      memory.marked = memory.marked && stillAmong(memory.marked, unrecorded())
      // Changes of them come by the cache.
      return { ends: endsOf(waitedFor, nowMs) }
    },
    starting: {
      kind: 'AfterIntent',
      make: makeExecutions,
      async place(slots) {
        const { made, refused } = makeExecutions(slots)
        reachPoint('before create execution')
        const answers = await Promise.all(
          made.map(async ({ slot, what }) => ({ slot, answer: await own.create(refOf(slot), what, { signal }) })),
        )
        reachPoint('after create execution')
        for (const { slot, answer } of answers) if (answer.kind === 'Refused') refused.set(slot, answer.message)
        const postponed = answers.map(({ answer }) => answer).find(({ kind }) => kind === 'Postponed')
        return { outcome: postponed?.kind === 'Postponed' ? { postponed: postponed.message } : 'Done', refused }
      },
    },
    remove: (slots) => Promise.all(slots.map(({ slot }) => takeBack(slot))),
    cancel: (slots) => Promise.all(slots.map(({ slot }) => cancel(slot))),
    look: (slots) => Promise.resolve(slots.map(({ slot }: SlotRef) => lookedAt(known(slot)))),
    async acknowledge(slots) {
      const objects = slots.flatMap((slot) => known(slot) ?? [])
      await Promise.all(objects.filter((object) => !isRecorded(object)).map(mark))
      return nothingAcknowledged
    },
    // Once the schedule is gone, no run waits for a mark.
    forget: () => Promise.resolve(nothingAcknowledged),
    // The run itself counts for its graph.
    subjects: () => [],
  }
}

function lookedAt(object: TaskExecution | undefined): RunObservation {
  if (object === undefined || isGoing(object)) return { state: 'Absent' }
  if (finalStateOf(object) !== undefined) return { state: 'Ended' }
  const { startTime } = object.status ?? {}
  return startTime === undefined ? { state: 'Waiting', isUntouched: true } : { state: 'Active', startedAtMs: Date.parse(startTime) }
}

function outcomeOf(object: TaskExecution, slot: Slot, nowMs: number): RunOutcome | undefined {
  const reason = finalStateOf(object)
  if (reason === undefined) return undefined
  const { failureMessage, startTime, finishTime } = object.status ?? {}
  const said = [`tex/${object.metadata.name}`, ...(failureMessage === undefined ? [] : [failureMessage])].join(': ')
  const succeeded = reason === 'Succeeded' || reason === 'Skipped'
  return {
    slot,
    succeeded,
    reason,
    ...(succeeded ? {} : { message: said }),
    ...(startTime === undefined ? {} : { startedAtMs: Date.parse(startTime) }),
    finishedAtMs: finishTime === undefined ? nowMs : Date.parse(finishTime),
  }
}

function removed(name: string, slot: Slot, nowMs: number): RunOutcome {
  const message = `tex/${name} was deleted before its end was recorded, which cancels the run`
  return { slot, succeeded: false, reason: 'ExecutionRemoved', message, finishedAtMs: nowMs }
}
