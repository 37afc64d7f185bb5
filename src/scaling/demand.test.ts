import { expect, it } from 'vitest'
import { demandOf, type QueueLoad } from './demand.ts'

const load = (part: Partial<QueueLoad>): QueueLoad => ({
  queue: 'email',
  waiting: 0,
  prioritized: 0,
  dueDelayed: 0,
  active: 0,
  orphaned: 0,
  paused: false,
  ...part,
})

it.each([
  { name: 'no queues', queues: [], want: { backlog: 0, active: 0, orphaned: 0 } },
  {
    name: 'waiting, prioritized and due delayed jobs are backlog',
    queues: [load({ waiting: 3, prioritized: 2, dueDelayed: 4, active: 1 })],
    want: { backlog: 9, active: 1, orphaned: 0 },
  },
  {
    name: 'a paused queue counts only its running jobs',
    queues: [load({ waiting: 100, active: 2, paused: true, oldestReadyAtMs: 5 }), load({ waiting: 1, oldestReadyAtMs: 9 })],
    want: { backlog: 1, active: 2, orphaned: 0, oldestReadyAtMs: 9 },
  },
  {
    name: 'the oldest over all queues',
    queues: [load({ waiting: 1, oldestReadyAtMs: 20 }), load({ waiting: 1, oldestReadyAtMs: 10 }), load({})],
    want: { backlog: 2, active: 0, orphaned: 0, oldestReadyAtMs: 10 },
  },
  {
    name: 'a concurrency limit is returned with the jobs of its queue',
    queues: [
      load({ waiting: 8, active: 4, orphaned: 1, concurrency: 3 }),
      load({ queue: 'idle', active: 2, concurrency: 2 }),
      load({ queue: 'paused', waiting: 9, concurrency: 1, paused: true }),
    ],
    want: { backlog: 8, active: 5, orphaned: 1, limited: [{ queue: 'email', concurrency: 3, jobs: 11 }] },
  },
  {
    name: 'orphaned jobs are counted separately, also those of a paused queue',
    queues: [load({ active: 5, orphaned: 2 }), load({ waiting: 9, active: 3, orphaned: 3, paused: true })],
    want: { backlog: 0, active: 3, orphaned: 5 },
  },
])('$name', ({ queues, want }) => {
  expect(demandOf(queues)).toEqual(want)
})
