import { findCondition, isTerminating, type TaskSchedule, taskSchedules, type TaskScheduleStatus } from '../../api/index.ts'
import { createConditionMetrics } from '../../observability/index.ts'
import { type ReconcileContext, soonest } from '../../runtime/index.ts'
import { retryMs } from '../../services/engine/index.ts'
import type { SlotHappening } from '../../services/slots/index.ts'
import { closingMs, createStatusWriter, runningGaugeMs } from '../../services/status/index.ts'
import { act, type Acted, primitiveMemoryOf, remove } from './act.ts'
import { findBlockages } from './blockage.ts'
import { decide } from './decide.ts'
import { changeEvents, primitiveEvents, transitionEvents } from './events.ts'
import {
  type Context,
  forgetCalendars,
  gather,
  type Gathered,
  type Memory,
  namesOf,
  remember,
  type TaskScheduleDeps,
  trialAgainAfterMs,
  type World,
} from './gather.ts'
import { countChanges, setScheduleMetrics } from './metrics.ts'
import { outcomeOf, statusOf, transitionOf } from './status.ts'

type Result = { readonly requeueAfterMs?: number }

export function createTaskScheduleController(deps: TaskScheduleDeps): {
  reconcile(key: string, context: ReconcileContext): Promise<Result>
} {
  const memories = new Map<string, Memory>()
  /** Those whose status has let others go first. */
  const waited = new Set<string>()
  const status = createStatusWriter<TaskSchedule>({
    client: deps.client,
    resource: taskSchedules,
    fieldManager: 'taskmill-task-schedule',
    clock: deps.clock,
    transitionOf,
    pacedTransitionOf: outcomeOf,
    budget: deps.statusBudget,
    // Only a slot or the end of a run changes them.
    gaugeIntervalMs: runningGaugeMs,
    conditionMetrics: createConditionMetrics(deps.metrics, 'TaskSchedule'),
  })

  deps.onMemoryShort(() => {
    // Looked at again, a schedule is understood anew and reads its ledger first.
    for (const memory of memories.values())
      Object.assign(memory, { record: undefined, shown: undefined, understood: undefined, calendars: undefined })
  })

  /** `terminating`: its deletion has begun, and somebody still holds it. */
  async function reconcileGone(key: string, terminating: TaskSchedule | undefined, context: Context): Promise<Result> {
    const memory = terminating === undefined ? memories.get(key) : remember(memories, deps.engine, key, terminating)
    try {
      const removal = memory === undefined ? undefined : await remove(deps, key, memory, context)
      if (memory !== undefined) reportHappenings(deps, key, memory, { happened: removal?.happened ?? [] })
      if (removal?.isComplete === true) return {}
      if (terminating !== undefined) return { requeueAfterMs: retryMs.unreachable }
      deps.orphanedData.lookAgain()
      return {}
    } finally {
      const { ledger } = namesOf(deps.installation, key)
      deps.tracking.untrack(ledger)
      deps.whereabouts.forget(ledger)
      deps.jobSchedulers.forget(key)
      forgetCalendars(deps.configMaps, key)
      deps.groups.forget(key)
      status.forget(key)
      waited.delete(key)
      if (terminating === undefined) memories.delete(key)
    }
  }

  /**
   * Many slots are due in the same second, and a status takes longer than all that a slot needs at the broker. So after work at the broker the status
   * waits for the keys that are due: once, so that it is written however much there is to do.
   */
  function letsOthersFirst(key: string, { situation, isWaiting, happened }: Acted, { areOthersDue }: ReconcileContext): boolean {
    if (waited.delete(key) || situation.kind !== 'Driven' || isWaiting !== true) return false
    if (happened.length === 0 || !areOthersDue()) return false
    waited.add(key)
    return true
  }

  return {
    async reconcile(key, context) {
      const schedule = deps.schedules.get(key)
      if (schedule === undefined || isTerminating(schedule)) return reconcileGone(key, schedule, context)
      // It goes in a moment, and nothing can be created for its slots.
      if (deps.statusBudget.isClosing(schedule.metadata)) return { requeueAfterMs: closingMs }
      const memory = remember(memories, deps.engine, key, schedule)
      const before = status.latest(key, schedule)
      const gathered = await gather(deps, key, memory, before, context)

      const acted = await act(deps, key, memory, { decision: decide(gathered), group: gathered.group }, context)
      reportHappenings(deps, key, memory, { happened: acted.happened, status: before })
      keepShown(memory, acted)
      if (letsOthersFirst(key, acted, context)) return { requeueAfterMs: 0 }
      // From here on only the API server is asked. However long it takes, slots go on.
      context.stepAside()
      const { againAfterMs, details, ...blockages } = await findBlockages(deps, key, memory, context)
      memory.blockages = blockages
      reportPrimitive(deps, memory)
      const world = worldOf(deps, memory, gathered, acted, details)

      const { endsInMs } = gathered.suspension
      // The read of its calendars announces itself; what is said of them until then would be wrong.
      if (gathered.left?.kind === 'Unread') return soonest([acted.againAfterMs, againAfterMs, endsInMs])
      if (deps.engine.isUndecided(memory) && findCondition(before?.conditions, 'Ready') !== undefined) {
        return soonest([acted.againAfterMs ?? retryMs.undecided, endsInMs])
      }
      const after = statusOf(world)
      const written = await status.write(key, schedule, after, context.signal)
      for (const event of transitionEvents(before, after)) deps.events.event(schedule, event)
      setScheduleMetrics(deps.metrics, key, world, after)
      const trialMs = trialAgainAfterMs(memory, deps.clock.now())
      return soonest([acted.againAfterMs, written.againAfterMs, againAfterMs, trialMs, endsInMs])
    },
  }
}

/** What people read while no ledger can be read, and by which a broker that was restored from an older state is found out. */
function keepShown(memory: Memory, { happened }: Acted): void {
  // After a failure nothing is known of the ledger but what was written before.
  const written = happened.findLast((each) => each.kind === 'Recorded')
  memory.shown = memory.record?.ledger ?? written?.ledger ?? memory.shown
}

/** Events, metrics and acknowledgements of what took place, also if the look failed half-way: its error is thrown afterwards. */
function reportHappenings(
  deps: TaskScheduleDeps,
  key: string,
  memory: Memory,
  { happened, status }: { readonly happened: readonly SlotHappening[]; readonly status?: TaskScheduleStatus | undefined },
): void {
  for (const each of happened) {
    if (each.kind === 'Acknowledged') {
      deps.tracking.acknowledged(namesOf(deps.installation, key).ledger, each.ids)
      continue
    }
    countChanges(deps.metrics, key, each.changes)
    const events = changeEvents(each.changes, { ledger: each.ledger, status }, memory, deps.clock.now())
    for (const event of events) deps.events.event(memory.schedule, event)
    for (const change of each.changes) deps.log.debug({ schedule: key, ...change }, 'a ledger has changed')
  }
}

/** Events for what was done to its primitive. */
function reportPrimitive({ events }: TaskScheduleDeps, memory: Memory): void {
  const primitive = primitiveMemoryOf(memory)
  for (const event of primitiveEvents(primitive?.done ?? [])) events.event(memory.schedule, event)
  if (primitive !== undefined) primitive.done = undefined
}

/** Undefined while they are not known. */
function slotsLeft({ understood, left }: Gathered): World['due'] {
  if (!understood.ok) return undefined
  if (left === undefined) return understood.plan
  return left.kind === 'Left' ? left.plan : undefined
}

function worldOf(
  { engine, groups }: TaskScheduleDeps,
  memory: Memory,
  gathered: Gathered,
  { situation }: Acted,
  details: World['details'],
): World {
  if (situation.kind === 'Failed') throw situation.error
  const { schedule, status, suspension, group } = gathered
  const { trial } = memory
  return {
    schedule,
    suspension,
    status,
    situation,
    warnings: trial?.trial.kind === 'Fine' ? trial.trial.warnings : [],
    blockages: memory.blockages ?? { blocked: [], unknown: 'All' },
    drift: primitiveMemoryOf(memory)?.drift,
    details,
    due: slotsLeft(gathered),
    ledger: memory.shown,
    group: group && { ...group, ...groups.show(group) },
    nowMs: engine.now(memory),
  }
}
