import { expect, test } from 'vitest'
import { createConditionMetrics, createMetrics, setQueueMetrics, type QueueFigures } from './index.ts'

const figures: QueueFigures = { waiting: 3, prioritized: 2, delayed: 1, active: 4, paused: false }

function world() {
  const metrics = createMetrics({ now: () => 60_000 })
  const set = (owner: 'WorkerPool' | 'TaskQueue', queues: Readonly<Record<string, QueueFigures | undefined>>) =>
    setQueueMetrics(metrics, owner, `acme/${owner.toLowerCase()}`, { broker: 'default', queues: new Map(Object.entries(queues)) })
  const lines = async () => (await metrics.render()).split('\n').filter((line) => line.startsWith('taskmill_queue_'))
  return { metrics, set, lines }
}
const at = (name: string, queue: string, more = '') => `taskmill_queue_${name}{namespace="acme",broker="default",queue="${queue}"${more}}`

test('a queue has gauges for its jobs, its oldest wait, its limit and whether it is paused', async () => {
  const { set, lines } = world()
  set('TaskQueue', { mail: { ...figures, paused: true, concurrency: 8, oldestReadyAtMs: 45_000 } })
  expect(await lines()).toEqual([
    `${at('jobs', 'mail', ',state="waiting"')} 3`,
    `${at('jobs', 'mail', ',state="prioritized"')} 2`,
    `${at('jobs', 'mail', ',state="delayed"')} 1`,
    `${at('jobs', 'mail', ',state="active"')} 4`,
    `${at('oldest_wait_seconds', 'mail')} 15`,
    `${at('paused', 'mail')} 1`,
    `${at('concurrency_limit', 'mail')} 8`,
  ])
})

test('of a queue without jobs, only what waits is told', async () => {
  const { set, lines } = world()
  set('TaskQueue', { mail: figures })
  set('TaskQueue', { mail: { waiting: 0, prioritized: 0, delayed: 0, active: 0, paused: false } })
  expect(await lines()).toEqual([`${at('jobs', 'mail', ',state="waiting"')} 0`])
})

test('a condition is told while it needs attention, and Ready always', async () => {
  const metrics = createMetrics({ now: () => 0 })
  const set = createConditionMetrics(metrics, 'TaskDependency')
  const told = async () => (await metrics.render()).split('\n').filter((line) => line.startsWith('taskmill_object_condition'))
  const text = (condition: string) => `taskmill_object_condition{namespace="acme",name="g",kind="TaskDependency",condition="${condition}"}`
  const conditions = (ready: string, lastRun: string) => [
    { type: 'Ready', status: ready },
    { type: 'LastRunSucceeded', status: lastRun },
    { type: 'Reconciling', status: 'True' },
  ]
  set('acme/g', conditions('True', 'True'))
  expect(await told()).toEqual([`${text('Ready')} 1`])
  set('acme/g', [...conditions('False', 'False'), { type: 'Stalled', status: 'True' }])
  expect(await told()).toEqual([`${text('Ready')} 0`, `${text('Stalled')} 1`, `${text('LastRunSucceeded')} 0`])
  set('acme/g', conditions('Unknown', 'Unknown'))
  expect(await told()).toEqual([`${text('Ready')} 0`])
})

test('a limit or a wait that is over leaves no series', async () => {
  const { set, lines } = world()
  set('TaskQueue', { mail: { ...figures, concurrency: 8, oldestReadyAtMs: 45_000 } })
  set('TaskQueue', { mail: figures })
  const left = (await lines()).filter((line) => /limit|oldest/u.test(line))
  expect(left).toEqual([])
})

test('a queue that was not read keeps its last values, and a queue that the object dropped has none', async () => {
  const { set, lines } = world()
  set('WorkerPool', { mail: figures, sync: figures })
  set('WorkerPool', { mail: undefined })
  expect(await lines()).toContain(`${at('jobs', 'mail', ',state="waiting"')} 3`)
  expect((await lines()).filter((line) => line.includes('"sync"'))).toEqual([])
})

test('the gauges of a queue that a pool and a TaskQueue share stay until both have gone', async () => {
  const { metrics, set, lines } = world()
  set('WorkerPool', { mail: figures })
  set('TaskQueue', { mail: figures })
  metrics.of('WorkerPool', 'acme/workerpool').forget()
  expect(await lines()).toContain(`${at('jobs', 'mail', ',state="active"')} 4`)
  metrics.of('TaskQueue', 'acme/taskqueue').forget()
  expect(await lines()).toEqual([])
})
