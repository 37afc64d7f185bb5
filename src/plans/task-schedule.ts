import { type JobTemplate, maxPayloadBytes, slotStartOf, type TaskSchedule, type TaskTemplate, timingMemberOf } from '../api/index.ts'
import type { PlacedJob } from '../broker/index.ts'
import { type Slot, slotJobId, slotTime } from '../contract/index.ts'
import { compileDocument, type CompiledDocument, describeError } from '../expressions/index.ts'
import { compileJobTemplate } from '../graph/index.ts'
import {
  defaultClockRule,
  defaultPendingSeconds,
  findJitterFault,
  generationOf,
  parseTiming,
  executionsPlace,
  jobsPlace,
  primitivePlaces,
  resolveHashes,
  type SchedulePlan,
  type SlotSource,
  type Timing,
} from '../scheduling/index.ts'
import { type Fault, hasFaults, type PushFaults, type Understood } from './fault.ts'
import {
  type CalendarFiles,
  calendarRulesOf,
  configMapsOf,
  type Due,
  findCalendarFaults,
  leaveByFiles,
  type Left,
  type LeftByFiles,
} from './calendars.ts'
import { type CronJobPlan, cronJobPlanOf, findCronJobFaults } from './cron-job.ts'
import { hashOf } from './hash.ts'
import { type JobSchedulerPlan, understandJobScheduler } from './job-scheduler.ts'
import { executionOfSlot, type NewExecution } from './slot-run.ts'

/** The part of a plan that depends only on the object. */
type StaticPlan = Omit<SchedulePlan, 'epoch' | 'statusSlot'>

export type ScheduleFaultReason =
  'InvalidSchedule' | 'InvalidTimeZone' | 'InvalidCalendar' | 'InvalidExpression' | 'InvalidNumber' | 'PayloadTooLarge'

/** The job of a slot. When it is due is a matter of the ledger. */
export type SlotJob = Omit<PlacedJob, 'dueAtMs'>

/** What each slot starts. */
export type SlotStart =
  | { readonly kind: 'Task'; readonly jobOf: (ledger: string, doneQueue: string, slot: Slot) => SlotJob }
  | { readonly kind: 'Job'; readonly templateOf: (slot: Slot) => JobTemplate }
  | { readonly kind: 'Graph'; readonly dependency: string; readonly executionOf: (ledger: string, slot: Slot) => NewExecution }

export type UnderstoodSchedule = Understood<
  {
    /** Its slots are those without calendars as long as these name files. */
    readonly plan: StaticPlan
    readonly start: SlotStart
    /** With the engine CronJob. */
    readonly cronJob?: CronJobPlan
    /** With the engine BullMQ. */
    readonly jobScheduler?: JobSchedulerPlan
    /** Missing unless its calendars name ConfigMaps. */
    readonly leaveByFiles?: (files: CalendarFiles) => LeftByFiles
  },
  ScheduleFaultReason
>

/** Collects the faults of a payload. */
export type PayloadFaults = PushFaults<'InvalidExpression' | 'InvalidNumber' | 'PayloadTooLarge'>

/** A slot for trying the expressions before one is due. */
export const sampleSlot: Slot = Date.UTC(2026, 10, 29) / 1000

export function understandSchedule(schedule: TaskSchedule): UnderstoodSchedule {
  const faults: Fault<ScheduleFaultReason>[] = []
  const due = understandTiming(schedule, faults)
  findCalendarFaults(schedule, due?.slots, faults)
  const start = understandStart(schedule, faults)
  if (due !== undefined) findCronJobFaults(schedule, due.timing, faults)
  const jobScheduler = due && understandJobScheduler(schedule, due.timing, faults)
  if (hasFaults(faults)) return { ok: false, faults }
  if (due === undefined || start === undefined) throw new TypeError('neither understood nor faulty')

  const { spec, metadata } = schedule
  const cronJob = cronJobPlanOf(schedule, due.timing)
  const leave = (files: CalendarFiles): LeftByFiles => leaveByFiles(schedule, due, files)
  const hasFiles = configMapsOf(schedule).length > 0
  const {
    concurrencyPolicy,
    queueLimit,
    dependsOnPast,
    missedRuns,
    missedRunsLimit,
    startingDeadlineSeconds,
    runDeadlineSeconds,
    onDeadline,
  } = spec
  return {
    ok: true,
    plan: {
      ...(hasFiles ? due : leftWithoutFiles(leave)),
      suspended: spec.suspend,
      concurrencyPolicy,
      ...(queueLimit === undefined ? {} : { queueLimit }),
      ...(dependsOnPast === undefined ? {} : { dependsOnPast }),
      missedRuns,
      missedRunsLimit,
      ...(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
      ...pendingDeadlineOf(spec),
      ...(runDeadlineSeconds === undefined ? {} : { runDeadlineSeconds }),
      ...(onDeadline === undefined ? {} : { onDeadline }),
      generation: generationFor(schedule),
      createdAtMs: Date.parse(metadata.creationTimestamp ?? '') || 0,
    },
    start,
    ...(cronJob === undefined ? {} : { cronJob }),
    ...(jobScheduler === undefined ? {} : { jobScheduler }),
    ...(hasFiles ? { leaveByFiles: leave } : {}),
  }
}

/** A Kubernetes Job that cannot start, for example because its image does not exist, must not stop the schedule for ever. */
function pendingDeadlineOf(spec: TaskSchedule['spec']): Pick<StaticPlan, 'pendingDeadlineSeconds' | 'isPendingDefault'> {
  const { pendingDeadlineSeconds, concurrencyPolicy, engine } = spec
  if (pendingDeadlineSeconds !== undefined) return { pendingDeadlineSeconds }
  if (engine !== 'Taskmill') return {}
  const isHeldUp = (concurrencyPolicy === 'Forbid' || concurrencyPolicy === 'Queue') && slotStartOf(spec).kind === 'job'
  return isHeldUp ? { pendingDeadlineSeconds: defaultPendingSeconds, isPendingDefault: true } : {}
}

function leftWithoutFiles(leave: (files: CalendarFiles) => LeftByFiles): Left {
  const left = leave(new Map())
  if (left.kind !== 'Left') throw new TypeError('calendars without files and without faults leave nothing')
  return left.plan
}

function generationFor({ spec }: TaskSchedule): string {
  const start = slotStartOf(spec)
  switch (start.kind) {
    case 'task':
      return generationOf(hashOf(start.value), start.value.queue)
    case 'job':
      return generationOf(hashOf(start.value), spec.engine === 'CronJob' ? primitivePlaces.CronJob : jobsPlace)
    case 'dependencyRef':
      return generationOf(hashOf({ dependencyRef: start.value, parameters: spec.parameters }), executionsPlace)
  }
}

function understandStart(schedule: TaskSchedule, faults: Fault<ScheduleFaultReason>[]): SlotStart | undefined {
  const start = slotStartOf(schedule.spec)
  switch (start.kind) {
    case 'task':
      return understandTask(start.value, faults)
    case 'job':
      return understandJob(start.value, faults)
    case 'dependencyRef':
      return understandGraph(schedule, start.value.name, faults)
  }
}

function understandTask(task: TaskTemplate, faults: PayloadFaults): SlotStart | undefined {
  const payload = understandPayload(task.payload ?? {}, 'spec.task.payload', faults)
  return payload && { kind: 'Task', jobOf: (ledger, doneQueue, slot) => jobOf(task, payload, { ledger, doneQueue, slot }) }
}

function understandGraph(schedule: TaskSchedule, dependency: string, faults: PayloadFaults): SlotStart | undefined {
  const parameters = understandParameters(schedule, faults)
  if (parameters === undefined) return undefined
  const executionOf = (ledger: string, slot: Slot) =>
    executionOfSlot(schedule, ledger, slot, schedule.spec.parameters && parameters({ slot: slotTime(slot) }))
  return { kind: 'Graph', dependency, executionOf }
}

function understandJob(job: JobTemplate, faults: PayloadFaults): SlotStart | undefined {
  const field = 'spec.job'
  const compiled = compileJobTemplate(job, field, { variables: ['slot'] })
  if (!compiled.ok) {
    faults.push(...compiled.faults)
    return undefined
  }
  const templateOf = (slot: Slot) => compiled.template.evaluate({ slot: slotTime(slot) })
  try {
    templateOf(sampleSlot)
    return { kind: 'Job', templateOf }
  } catch (error) {
    faults.push({ reason: 'InvalidExpression', field, message: describeError(error) })
    return undefined
  }
}

function jobOf(
  task: TaskTemplate,
  payload: CompiledDocument,
  { ledger, doneQueue, slot }: { readonly ledger: string; readonly doneQueue: string; readonly slot: Slot },
): SlotJob {
  return {
    id: slotJobId(ledger, slot),
    doneQueue,
    done: { v: 1, ledger, slot },
    queue: task.queue,
    name: task.type,
    data: payload.evaluate({ slot: slotTime(slot) }),
    attempts: task.retry.maxRetries + 1,
    ...(task.retry.maxRetries === 0 ? {} : { backoffMs: task.retry.initialDelaySeconds * 1000 }),
    ...(task.priority === undefined ? {} : { bullPriority: 101 - task.priority }),
  }
}

/** Compiles the parameters that the schedule passes to its graph. */
export function understandParameters(
  { spec }: TaskSchedule,
  faults: PayloadFaults,
): ((variables: { readonly slot: string }) => Readonly<Record<string, unknown>>) | undefined {
  const payload = understandPayload(spec.parameters ?? {}, 'spec.parameters', faults)
  return payload && ((variables) => payload.evaluate(variables) as Readonly<Record<string, unknown>>)
}

/** What the hashes and delays of a schedule follow from: its name, whatever else of it changes. */
function seedOf({ metadata: { namespace = '', name } }: TaskSchedule): string {
  return `${namespace}/${name}`
}

/** When a schedule is due, each `H` resolved: a ledger that keeps it says by itself when its slots were due. */
export function timingOf(schedule: TaskSchedule): Timing {
  const { startTime, endTime, maxRuns, jitterSeconds, calendars, timeZone, engine, task } = schedule.spec
  return {
    ...timingMember(schedule),
    ...(startTime === undefined ? {} : { startTime: Math.ceil(Date.parse(startTime) / 1000) }),
    ...(endTime === undefined ? {} : { endTime: Math.floor(Date.parse(endTime) / 1000) }),
    ...(maxRuns === undefined ? {} : { maxRuns }),
    ...(jitterSeconds ? { jitterSeconds } : {}),
    ...(engine === 'Taskmill' ? {} : { engine }),
    ...(engine === 'BullMQ' && task !== undefined ? { schedulerQueue: task.queue } : {}),
    ...(calendars === undefined ? {} : { calendars: { rules: hashOf([calendarRulesOf(calendars), timeZone]) } }),
  }
}

function isDefaultRule({ gap, overlap }: NonNullable<TaskSchedule['spec']['dst']>): boolean {
  return gap === defaultClockRule.gap && overlap === defaultClockRule.overlap
}

function timingMember(schedule: TaskSchedule): Timing {
  const { spec } = schedule
  const timing = timingMemberOf(spec)
  switch (timing.kind) {
    case 'schedules':
      return {
        schedules: timing.value.map((each) => resolveHashes(each, seedOf(schedule))),
        timeZone: spec.timeZone,
        // The same slots have the same timing, so that a default that is written out changes nothing.
        ...(spec.dst === undefined || isDefaultRule(spec.dst) ? {} : { dst: spec.dst }),
      }
    case 'everySeconds':
      return { everySeconds: timing.value, ...(spec.offsetSeconds ? { offsetSeconds: spec.offsetSeconds } : {}) }
    case 'at':
      return { at: timing.value.map((time) => Math.ceil(Date.parse(time) / 1000)) }
  }
}

/** What the calendars leave of the slots of a schedule, for who only looks at it; undefined if the spec has faults. */
export function slotsLeftOf(schedule: TaskSchedule, files: CalendarFiles): LeftByFiles | undefined {
  const faults: Fault<ScheduleFaultReason>[] = []
  const due = understandTiming(schedule, faults)
  findCalendarFaults(schedule, due?.slots, faults)
  return due === undefined || hasFaults(faults) ? undefined : leaveByFiles(schedule, due, files)
}

/** The same text as long as a schedule is due at the same times. */
export function timingHashOf(timing: Timing): string {
  return hashOf(timing)
}

/**
 * What was compiled, by the text of the timing, as long as a plan has it: thousands of schedules are due at the same few times, and a compiled
 * timing is the largest part of a plan.
 */
const compiledTimings = new Map<string, { readonly timing: Timing; readonly slots: WeakRef<SlotSource> }>()
const unusedTimings = new FinalizationRegistry<string>((text) => {
  // Another may have been compiled meanwhile.
  if (compiledTimings.get(text)?.slots.deref() === undefined) compiledTimings.delete(text)
})

function compileTiming(timing: Timing) {
  const text = JSON.stringify(timing)
  const known = compiledTimings.get(text)
  const slots = known?.slots.deref()
  if (known !== undefined && slots !== undefined) return { ok: true, due: { timing: known.timing, slots } } as const
  const parsed = parseTiming(timing)
  if (!parsed.ok) return parsed
  compiledTimings.set(text, { timing, slots: new WeakRef(parsed.slots) })
  unusedTimings.register(parsed.slots, text)
  return { ok: true, due: { timing, slots: parsed.slots } } as const
}

/** Returns the slots, or undefined and one fault per wrong expression. A wrong delay is a fault beside them. */
function understandTiming(schedule: TaskSchedule, faults: Fault<ScheduleFaultReason>[]): Due | undefined {
  const { jitterSeconds, ...timing } = timingOf(schedule)
  const parsed = compileTiming(timing)
  if (parsed.ok) {
    const due = { ...parsed.due, seed: seedOf(schedule) }
    if (jitterSeconds === undefined) return due
    const message = findJitterFault(due.slots, jitterSeconds)
    if (message !== undefined) faults.push({ reason: 'InvalidSchedule', field: 'spec.jitterSeconds', message })
    return { ...due, timing: { ...due.timing, jitterSeconds } }
  }
  if (!('schedules' in timing) || !parsed.field.startsWith('schedules[')) {
    const reason = parsed.field === 'timeZone' ? 'InvalidTimeZone' : 'InvalidSchedule'
    faults.push({ reason, field: `spec.${parsed.field}`, message: parsed.message })
    return undefined
  }
  // As they are written, so that the message quotes what the author sees.
  for (const [index, expression] of (schedule.spec.schedules ?? []).entries()) {
    const one = parseTiming(
      { schedules: [expression], timeZone: timing.timeZone, ...(timing.dst && { dst: timing.dst }) },
      seedOf(schedule),
    )
    if (!one.ok) faults.push({ reason: 'InvalidSchedule', field: `spec.schedules[${index}]`, message: one.message })
  }
  return undefined
}

function understandPayload(value: Readonly<Record<string, unknown>>, field: string, faults: PayloadFaults): CompiledDocument | undefined {
  const compiled = compileDocument(value, field, { variables: ['slot'] })
  if (!compiled.ok) {
    faults.push(...compiled.faults)
    return undefined
  }
  // Finds expressions that compile but fail, and payloads that grow too large, now and not when a slot is due.
  try {
    const bytes = Buffer.byteLength(JSON.stringify(compiled.document.evaluate({ slot: slotTime(sampleSlot) })))
    if (bytes <= maxPayloadBytes) return compiled.document
    const message = `${bytes} bytes as JSON, but at most ${maxPayloadBytes} are allowed. Next: store the data elsewhere and pass a reference`
    faults.push({ reason: 'PayloadTooLarge', field, message })
  } catch (error) {
    faults.push({ reason: 'InvalidExpression', field, message: describeError(error) })
  }
  return undefined
}
