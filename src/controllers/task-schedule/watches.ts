import {
  finalStateOf,
  findCondition,
  type CronJob,
  type Job,
  keysOf,
  siblingKey,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskSchedule,
} from '../../api/index.ts'
import { annotations, isCronJobId, labels } from '../../contract/index.ts'
import type { Informer } from '../../kube/index.ts'
import { isRecorded, parseSlotRun } from '../../plans/index.ts'
import { groupChanges } from './group.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory, DispatchLeases } from '../../services/brokers/index.ts'
import { starterOf } from '../../services/jobs/index.ts'
import type { ConcurrencyGroups } from '../../services/slots/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import type { JobSchedulerWatch } from '../../services/primitives/index.ts'
import type { Tracking, Whereabouts } from '../../services/tracking/index.ts'
import { endOfJob, isAcknowledged } from '../../workloads/index.ts'

export type TaskScheduleSources = {
  readonly caches: {
    readonly schedules: Pick<Informer<TaskSchedule, 'byBroker' | 'byDependency' | 'byGroup'>, 'get' | 'onChange' | 'byIndex'>
    readonly dependencies: Pick<Informer<TaskDependency>, 'onChange'>
    readonly executions: Pick<Informer<TaskExecution>, 'onChange'>
    readonly jobs: Pick<Informer<Job>, 'onChange'>
    readonly cronJobs: Pick<Informer<CronJob>, 'onChange'>
    readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'>
  }
  readonly directory: Pick<BrokerDirectory, 'onChange'>
  readonly dispatchLeases: Pick<DispatchLeases, 'onChange'>
  readonly tracking: Pick<Tracking, 'changesOf'>
  readonly configMaps: Pick<ConfigMaps, 'changesOf'>
  readonly whereabouts: Pick<Whereabouts, 'changesOf'>
  readonly groups: Pick<ConcurrencyGroups, 'onChange'>
  readonly jobSchedulers: Pick<JobSchedulerWatch, 'changes'>
}

export function taskScheduleWatches({
  caches,
  directory,
  dispatchLeases,
  tracking,
  configMaps,
  whereabouts,
  groups,
  jobSchedulers,
}: TaskScheduleSources): readonly Watch[] {
  const { schedules, dependencies, executions, jobs, cronJobs, taskBrokers } = caches
  const ofBroker = (broker: string) => keysOf(schedules.byIndex('byBroker', broker))
  // What a schedule started goes after it: that tells a schedule which is gone nothing.
  const there = (keys: readonly string[]) => keys.filter((key) => schedules.get(key) !== undefined)
  return [
    watch('TaskSchedules', schedules, (key) => [key]),
    // Each of a group is looked at when one comes, leaves or names another limit.
    watch('TaskSchedules of a concurrency group', schedules, (_, current, previous) =>
      groupChanges(current, previous).flatMap((group) => keysOf(schedules.byIndex('byGroup', group))),
    ),
    watch('concurrency groups', groups, (key) => [key]),
    watch('TaskDependencies', dependencies, (key) => keysOf(schedules.byIndex('byDependency', key))),
    watch('TaskExecutions', executions, (_, current, previous) =>
      there([...scheduleOfEndedRun(current, previous), ...scheduleOfRunByHand(current)]),
    ),
    watch('Jobs', jobs, (_, current, previous) =>
      there([...scheduleOfEndedJob(current, previous), ...scheduleOfFollowedJob(current, previous)]),
    ),
    watch('CronJobs', cronJobs, (_, current, previous) => there(scheduleOfCronJob(current ?? previous))),
    watchSpecs('TaskBrokers', taskBrokers, ofBroker),
    watch('endpoints', directory, ofBroker),
    watch('dispatch leases', dispatchLeases, ofBroker),
    watch('ConfigMaps of calendars', configMaps.changesOf('TaskSchedule'), (key) => [key]),
    watch('ends of jobs', tracking.changesOf('TaskSchedule'), (key) => [key]),
    watch('whereabouts of jobs', whereabouts.changesOf('TaskSchedule'), (key) => [key]),
    watch('job schedulers', jobSchedulers.changes, (key) => [key]),
  ]
}

/** The schedule that started the run, when the run is deleted, has an end that is not recorded, or is blocked by something else than before. */
function scheduleOfEndedRun(current: TaskExecution | undefined, previous: TaskExecution | undefined): readonly string[] {
  const object = current ?? previous
  const run = object && parseSlotRun(object)
  if (object === undefined || run === undefined) return []
  const isDeleted = current === undefined || current.metadata.deletionTimestamp !== undefined
  const isNews = isDeleted || (finalStateOf(current) !== undefined && !isRecorded(current)) || blockedBy(current) !== blockedBy(previous)
  return isNews ? [siblingKey(object, run.schedule)] : []
}

/** The schedule whose template a successful run by hand ran: with `dependsOnPast` its slots may continue. */
function scheduleOfRunByHand(current: TaskExecution | undefined): readonly string[] {
  const name = current?.spec.scheduleRef?.name
  return current === undefined || name === undefined || finalStateOf(current) !== 'Succeeded' ? [] : [siblingKey(current, name)]
}

function blockedBy(run: TaskExecution | undefined): string | undefined {
  return findCondition(run?.status?.conditions, 'Blocked')?.reason
}

/** The schedule whose CronJob has started the Job, when the Job is new. */
function scheduleOfFollowedJob(current: Job | undefined, previous: Job | undefined): readonly string[] {
  const starter = starterOf(current)
  const isOfCronJob = isCronJobId(current?.metadata.annotations?.[annotations.jobId] ?? '')
  return previous !== undefined || starter === undefined || !isOfCronJob ? [] : [`${starter.namespace}/${starter.name}`]
}

function scheduleOfCronJob(cronJob: CronJob | undefined): readonly string[] {
  const name = cronJob?.metadata.labels?.[labels.schedule]
  return cronJob === undefined || name === undefined ? [] : [siblingKey(cronJob, name)]
}

/** The schedule that started the Job, when the Job is gone or has an end that is not acknowledged. */
function scheduleOfEndedJob(current: Job | undefined, previous: Job | undefined): readonly string[] {
  const starter = starterOf(current ?? previous)
  if (starter?.kind !== 'TaskSchedule') return []
  const isNews = current === undefined || (endOfJob(current) !== undefined && !isAcknowledged(current))
  return isNews ? [`${starter.namespace}/${starter.name}`] : []
}
