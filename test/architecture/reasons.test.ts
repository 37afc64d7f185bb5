/** Every declared reason is used, so that users do not wait for one that never comes. */
import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { kinds } from '../../src/api/index.ts'

const folderOf = (kind: string): string => kind.replaceAll(/(?<=.)([A-Z])/gu, '-$1').toLowerCase()
/** The faults of a graph are named by the pure rules; what keeps the dispatch lease away is said once for all kinds that need it. */
const lease = 'src/services/engine/situation.ts'
/** What blocks a run is said where its job, its Kubernetes Job or its pods are looked at, for the run and for its schedule. */
const blocked = [
  'src/services/tracking/describe-whereabouts.ts',
  'src/services/jobs/jobs.ts',
  'src/workloads/*.ts',
  'src/controllers/task-execution/whereabouts.ts',
]
const rulesOf: Readonly<Record<string, readonly string[]>> = {
  TaskDependency: ['src/graph/*.ts'],
  TaskSchedule: [lease, ...blocked],
  TaskExecution: [lease, ...blocked],
  TaskQueue: [lease],
}
/** The places that say a reason for a controller that passes it on; and alerts say Alerting of what they watch. */
const others = ['src/controllers/task-alert/alerting.ts', 'src/alerting/condition.ts', 'src/services/notifications/delivery.ts']

const declared = kinds.flatMap((kind) => [
  ...Object.entries(kind.conditions).flatMap(([type, { reasons }]) =>
    Object.keys(reasons).map((reason) => ({ kind: kind.kind, what: `condition ${type}`, reason })),
  ),
  ...Object.keys(kind.events).map((reason) => ({ kind: kind.kind, what: 'Event', reason })),
])

it.each(declared)('$kind: $what $reason is said by the controller, or by the plan that it follows', ({ kind, reason }) => {
  const name = folderOf(kind)
  const sources = globSync([`src/controllers/${name}/*.ts`, `src/plans/${name}.ts`, ...(rulesOf[kind] ?? []), ...others]).filter(
    (path) => !path.endsWith('.test.ts'),
  )
  expect(sources.length).toBeGreaterThan(0)
  expect(sources.map((path) => readFileSync(path, 'utf8')).join('\n')).toContain(`'${reason}'`)
})
