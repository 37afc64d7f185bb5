/** What people read about a graph: pure, from a world to a status. */
import {
  dependencyCondition,
  findCondition,
  keepCondition,
  setConditions,
  type TaskDependencyStatus,
  type TaskExecution,
  type WantedCondition,
} from '../../api/index.ts'
import { hasFaults, summarizeFaults } from '../../plans/index.ts'
import type { World } from './gather.ts'

export function statusOf(world: World): TaskDependencyStatus {
  const { dependency, status, runs, nowMs } = world
  const { metadata, spec } = dependency
  const begun = runs.map((run) => run.status?.startTime).filter((time) => time !== undefined)
  const last = lastEnded(runs)
  const lastRunTime = newest([...begun, status?.lastRunTime])
  const lastRunName = last?.metadata.name ?? status?.lastRunName
  const lastResult = resultOf(last) ?? status?.lastResult
  return {
    observedGeneration: metadata.generation ?? 0,
    nodes: spec.nodes.length + (spec.finally?.length ?? 0),
    activeRuns: runs.filter((run) => resultOf(run) === undefined).length,
    ...(lastRunTime === undefined ? {} : { lastRunTime }),
    ...(lastRunName === undefined ? {} : { lastRunName }),
    ...(lastResult === undefined ? {} : { lastResult }),
    conditions: setConditions(status?.conditions, [...health(world), ...outcome(world, last)], nowMs, metadata.generation),
  }
}

function health(world: World): readonly WantedCondition[] {
  const { dependency, shape, trials, hasBroker } = world
  if (!shape.ok) {
    const { reason, message } = summarizeFaults(shape.faults)
    return [dependencyCondition('Ready', reason, message), dependencyCondition('Stalled', reason, message)]
  }
  if (hasFaults(trials.faults)) {
    const { reason, message } = summarizeFaults(trials.faults)
    return [dependencyCondition('Ready', reason, message), dependencyCondition('Stalled', reason, message)]
  }
  if (!trials.isComplete && isKnownAsRefused(world))
    return ['Ready', 'Stalled'].flatMap((type) => keepCondition(world.status?.conditions, type) ?? [])
  if (!hasBroker) {
    const message = `TaskBroker "${dependency.spec.brokerRef.name}" does not exist in this namespace. Next: create it`
    return [dependencyCondition('Ready', 'BrokerNotFound', message), dependencyCondition('Reconciling', 'BrokerNotFound', message)]
  }
  const { nodes, edges } = shape
  const words = `${count(nodes, 'node')}, ${edges === 1 ? '1 dependency' : `${edges} dependencies`}`
  const warned = trials.warnings.length === 0 ? '' : `. The API server warns: ${trials.warnings.join('; ')}`
  return [dependencyCondition('Ready', 'GraphValid', `${words}${warned}`)]
}

/** The status says of this very graph that the API server refuses a template; a process that starts has no answer yet, or gets none for now. */
function isKnownAsRefused({ status, dependency }: World): boolean {
  if (status?.observedGeneration !== dependency.metadata.generation) return false
  return findCondition(status?.conditions, 'Stalled')?.reason === 'TemplateInvalid'
}

/** Runs are deleted some time after their end: what was said of the last one stays. */
function outcome({ status }: World, last: TaskExecution | undefined): readonly WantedCondition[] {
  const result = resultOf(last)
  if (last !== undefined && result !== undefined) {
    const message = findCondition(last.status?.conditions, 'Succeeded')?.message ?? ''
    return [dependencyCondition('LastRunSucceeded', result, `${last.metadata.name}: ${message}`)]
  }
  const kept = keepCondition(status?.conditions, 'LastRunSucceeded')
  return kept === undefined ? [] : [kept]
}

function resultOf(run: TaskExecution | undefined): TaskDependencyStatus['lastResult'] {
  const state = run?.status?.state
  return state === 'Pending' || state === 'Running' ? undefined : state
}

function lastEnded(runs: readonly TaskExecution[]): TaskExecution | undefined {
  return runs
    .filter((run) => resultOf(run) !== undefined)
    .toSorted((a, b) => endOf(a).localeCompare(endOf(b)) || a.metadata.name.localeCompare(b.metadata.name))
    .at(-1)
}

function endOf({ status }: TaskExecution): string {
  return status?.finishTime ?? ''
}

function newest(times: readonly (string | undefined)[]): string | undefined {
  return times
    .filter((time) => time !== undefined)
    .toSorted()
    .at(-1)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** What makes a status worth writing at once; all the rest are gauges. */
export function transitionOf({ observedGeneration, lastResult, conditions }: TaskDependencyStatus): unknown {
  return [observedGeneration, lastResult, conditions?.map(({ type, status, reason }) => [type, status, reason])]
}
