/** What the reference promises is what the controllers say: every declared reason is used, so that nobody waits for one that never comes. */
import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { kinds } from '../../src/api/index.ts'

const folderOf: Readonly<Record<string, string>> = { WorkerPool: 'worker-pool', TaskBroker: 'task-broker', TaskSchedule: 'task-schedule' }

const declared = kinds.flatMap((kind) => [
  ...Object.entries(kind.conditions).flatMap(([type, { reasons }]) =>
    Object.keys(reasons).map((reason) => ({ kind: kind.kind, what: `condition ${type}`, reason })),
  ),
  ...Object.keys(kind.events).map((reason) => ({ kind: kind.kind, what: 'Event', reason })),
])

it.each(declared)('$kind: $what $reason is said by the controller, or by the plan that it follows', ({ kind, reason }) => {
  const name = folderOf[kind] ?? ''
  const sources = globSync([`src/controllers/${name}/*.ts`, `src/plans/${name}.ts`]).filter((path) => !path.endsWith('.test.ts'))
  expect(sources.length).toBeGreaterThan(0)
  expect(sources.map((path) => readFileSync(path, 'utf8')).join('\n')).toContain(`'${reason}'`)
})
