import {
  finalStateOf,
  findCondition,
  isTerminating,
  type Job,
  keysOf,
  siblingKey,
  type TaskBroker,
  type TaskDependency,
  type TaskExecution,
  type TaskSchedule,
} from '../../api/index.ts'
import { runName } from '../../contract/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'
import type { BrokerDirectory, DispatchLeases } from '../../services/brokers/index.ts'
import type { ConfigMaps } from '../../services/config-maps/index.ts'
import { type Jobs, starterOf } from '../../services/jobs/index.ts'
import { starterOfRun } from '../../services/runs/index.ts'
import type { Tracking, Whereabouts } from '../../services/tracking/index.ts'
import { isAcknowledged } from '../../workloads/index.ts'

export type TaskExecutionSources = {
  readonly caches: {
    readonly executions: Pick<
      Informer<TaskExecution, 'byDependency' | 'bySchedule' | 'byBroker' | 'byUnrecordedSlot'>,
      'get' | 'onChange' | 'byIndex'
    >
    readonly schedules: Pick<Informer<TaskSchedule>, 'onChange'>
    readonly dependencies: Pick<Informer<TaskDependency>, 'onChange'>
    readonly jobs: Pick<Informer<Job>, 'onChange'>
    readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'>
  }
  readonly directory: Pick<BrokerDirectory, 'onChange'>
  readonly dispatchLeases: Pick<DispatchLeases, 'onChange' | 'onReturn'>
  readonly tracking: Pick<Tracking, 'changesOf' | 'ended' | 'hasUnclaimed'>
  readonly jobs: Pick<Jobs, 'startedBy'>
  readonly configMaps: Pick<ConfigMaps, 'changesOf'>
  readonly installation: string
  readonly whereabouts: Pick<Whereabouts, 'changesOf'>
}

export function taskExecutionWatches(sources: TaskExecutionSources): readonly Watch[] {
  const { caches, tracking, whereabouts, directory, dispatchLeases, configMaps } = sources
  const { executions, schedules, dependencies, jobs, taskBrokers } = caches
  const ofBroker = (broker: string) => keysOf(executions.byIndex('byBroker', broker).filter((run) => isOpen(sources, run)))
  return [
    watch('TaskExecutions', executions, (key, current, previous) => {
      const run = current ?? previous
      const starter = run === undefined ? undefined : starterOfRun(run)
      if (run === undefined || starter === undefined || isAsBefore(current, previous)) return [key]
      const own = siblingKey(run, starter)
      // Like its Jobs, they are garbage-collected after it.
      return executions.get(own) === undefined ? [key] : [key, own]
    }),
    watch('Jobs', jobs, (_, current, previous) => {
      const starter = starterOf(current ?? previous)
      const key = starter?.kind === 'TaskExecution' ? `${starter.namespace}/${starter.name}` : undefined
      // The Jobs of a run are garbage-collected after it: that tells a run which is gone nothing.
      return key === undefined || executions.get(key) === undefined ? [] : [key]
    }),
    watch('TaskSchedules', schedules, (key, current) => {
      const waiting = keysOf(executions.byIndex('bySchedule', key).filter(isWaiting))
      // Before they are deleted, these runs wait until the schedule has recorded their ends. Without the schedule, their ends are not recorded.
      return current === undefined ? [...waiting, ...keysOf(executions.byIndex('byUnrecordedSlot', key))] : waiting
    }),
    watch('TaskDependencies', dependencies, (key) => keysOf(executions.byIndex('byDependency', key).filter(isWaiting))),
    watchSpecs('TaskBrokers', taskBrokers, ofBroker),
    watch('endpoints', directory, ofBroker),
    watch('dispatch leases', dispatchLeases, ofBroker),
    // A run that waits for hours would not find out otherwise that its broker was restored from an older state.
    watch('returns of brokers', { onChange: dispatchLeases.onReturn }, (broker) =>
      keysOf(executions.byIndex('byBroker', broker).filter((run) => finalStateOf(run) === undefined)),
    ),
    watch('ends of jobs', tracking.changesOf('TaskExecution'), (key) => [key]),
    watch('ConfigMaps of calendars', configMaps.changesOf('TaskExecution'), (key) => [key]),
    watch('whereabouts of jobs', whereabouts.changesOf('TaskExecution'), (key) => [key]),
  ]
}

/**
 * Whether something is left to do at the broker. A run that has ended costs nothing, unless a job of a stopped node has ended since, or one of
 * its Jobs is not tidied up.
 */
function isOpen({ tracking, jobs, installation }: TaskExecutionSources, execution: TaskExecution): boolean {
  if (finalStateOf(execution) === undefined) return true
  const { namespace = '', name } = execution.metadata
  const run = runName(installation, namespace, name)
  if (tracking.hasUnclaimed(run) || tracking.ended(run).length > 0) return true
  const isOfJobs = execution.status?.nodes?.some(({ job }) => job !== undefined) === true
  return isOfJobs && jobs.startedBy({ kind: 'TaskExecution', namespace, name }).some((job) => !isAcknowledged(job))
}

/** Whether a change of a run tells the one whose node it is nothing. */
function isAsBefore(current: TaskExecution | undefined, previous: TaskExecution | undefined): boolean {
  return previous !== undefined && shortOf(current) === shortOf(previous)
}

function shortOf(run: TaskExecution | undefined): string {
  if (run === undefined || isTerminating(run)) return 'gone'
  const { conditions, startTime } = run.status ?? {}
  const reasons = ['Succeeded', 'Blocked'].map((type) => findCondition(conditions, type)?.reason ?? '')
  return [finalStateOf(run) ?? '', startTime ?? '', ...reasons].join(' ')
}

/** Only a run that has not started depends on changes of what it refers to. */
function isWaiting({ status }: TaskExecution): boolean {
  return status?.startTime === undefined
}
