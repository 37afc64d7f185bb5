import type { TaskAlert, TaskSchedule } from '../api/index.ts'
import { type CountedStart, unreachableIn } from '../plans/index.ts'
import { brokerOf, canShareNamespace, isBeside, type Known, type Noticed, ofKind, queuesOf, usesOf } from './neighbours.ts'

/**
 * Alerts that can never fire, because what they count starts too rarely. Compares only objects that are beside each
 * other: the same name elsewhere may be for another cluster. For a schedule this is an error, as in the cluster. What a
 * queue or a graph runs can also come from elsewhere: that is a warning, if schedules beside it start some of it.
 */
export function findUnreachable(all: readonly Known[]): readonly Noticed[] {
  const sound = all.filter(({ object }) => object !== undefined)
  return ofKind(sound, 'TaskAlert').flatMap((known): readonly Noticed[] => {
    const alert = known.object as TaskAlert
    const beside = sound.filter((other) => canShareNamespace(known, other) && isBeside(known, other))
    if (alert.spec.target.kind === 'TaskSchedule') {
      const fault = inSchedules(alert, beside)
      return fault === undefined ? [] : [{ known, severity: 'error', field: fault.field, message: fault.message }]
    }
    const fault = unreachableIn(alert, startsFor(alert, beside))
    if (fault === undefined) return []
    const message = `${fault.message}. TaskExecutions that you create count as well; jobs that your own producers add do not`
    return [{ known, severity: 'warning', field: fault.field, message }]
  })
}

/** If the name is there more than once, for every schedule that the alert may mean. */
function inSchedules(alert: TaskAlert, beside: readonly Known[]): ReturnType<typeof unreachableIn> {
  const meant = ofKind(beside, 'TaskSchedule').filter(({ name }) => name === alert.spec.target.name)
  const faults = meant.map(({ object }) => unreachableIn(alert, [{ schedule: object as TaskSchedule, runs: 1 }]))
  return faults.includes(undefined) ? undefined : faults[0]
}

/** The schedules beside an alert that start runs of its target. */
function startsFor(alert: TaskAlert, beside: readonly Known[]): readonly CountedStart[] {
  const { kind, name } = alert.spec.target
  const targets = ofKind(beside, kind).filter((known) => known.name === name)
  const queues = new Set(targets.flatMap(consumedBy))
  const brokers = new Set(targets.map(brokerOf))
  const jobsIn = (known: Known): number =>
    brokers.has(brokerOf(known)) ? usesOf(known.kind, known.spec).filter((use) => use.kind === 'Queue' && queues.has(use.name)).length : 0
  const isTarget = (graph: Known): boolean => graph.kind.kind === kind && graph.name === name
  const graphs = new Map(
    ofKind(beside, 'TaskDependency').map((graph) => [graph.name, kind === 'TaskDependency' ? Number(isTarget(graph)) : jobsIn(graph)]),
  )
  const runsOf = (known: Known): number => (graphs.get(graphOf(known)) ?? 0) + jobsIn(known)
  return ofKind(beside, 'TaskSchedule')
    .map((known) => ({ schedule: known.object as TaskSchedule, runs: runsOf(known) }))
    .filter(({ runs }) => runs > 0)
}

function consumedBy(known: Known): readonly string[] {
  const { queueName } = known.spec
  return typeof queueName === 'string' ? [queueName] : queuesOf(known)
}

function graphOf({ spec }: Known): string | undefined {
  const { dependencyRef } = spec as { readonly dependencyRef?: { readonly name: string } }
  return dependencyRef?.name
}
