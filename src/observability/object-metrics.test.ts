import { expect, test } from 'vitest'
import { createMetrics, setQueueMetrics, type QueueFigures } from './index.ts'

const figures: QueueFigures = { waiting: 3, prioritized: 2, delayed: 1, active: 4, paused: false }

function world() {
  const metrics = createMetrics({ now: () => 60_000 })
  const tell = (owner: 'WorkerPool' | 'TaskQueue', queues: Readonly<Record<string, QueueFigures | undefined>>) =>
    setQueueMetrics(metrics, owner, `acme/${owner.toLowerCase()}`, { broker: 'default', queues: new Map(Object.entries(queues)) })
  const lines = async () => (await metrics.render()).split('\n').filter((line) => line.startsWith('taskmill_queue_'))
  return { metrics, tell, lines }
}
const at = (name: string, queue: string, more = '') => `taskmill_queue_${name}{namespace="acme",broker="default",queue="${queue}"${more}}`

test('a queue is told by its depth, its age, its limit and whether it is paused', async () => {
  const { tell, lines } = world()
  tell('TaskQueue', { mail: { ...figures, paused: true, concurrency: 8, oldestReadyAtMs: 45_000 } })
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

test('a limit or a wait that is over leaves no series', async () => {
  const { tell, lines } = world()
  tell('TaskQueue', { mail: { ...figures, concurrency: 8, oldestReadyAtMs: 45_000 } })
  tell('TaskQueue', { mail: figures })
  const left = (await lines()).filter((line) => /limit|oldest/u.test(line))
  expect(left).toEqual([])
})

test('a queue that is not read keeps its last values, and one that is no longer its own has none', async () => {
  const { tell, lines } = world()
  tell('WorkerPool', { mail: figures, sync: figures })
  tell('WorkerPool', { mail: undefined })
  expect(await lines()).toContain(`${at('jobs', 'mail', ',state="waiting"')} 3`)
  expect((await lines()).filter((line) => line.includes('"sync"'))).toEqual([])
})

test('a queue of a pool and a TaskQueue is told as long as one of them is there', async () => {
  const { metrics, tell, lines } = world()
  tell('WorkerPool', { mail: figures })
  tell('TaskQueue', { mail: figures })
  metrics.of('WorkerPool', 'acme/workerpool').forget()
  expect(await lines()).toContain(`${at('jobs', 'mail', ',state="active"')} 4`)
  metrics.of('TaskQueue', 'acme/taskqueue').forget()
  expect(await lines()).toEqual([])
})
