import { expect, test } from 'vitest'
import type { TaskQueue } from '../../api/index.ts'
import type { Broker, QueueAnswer } from '../../broker/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { queueOwner } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerClock } from '../../services/brokers/index.ts'
import { type Engine, visitRecord } from '../../services/engine/index.ts'
import { act } from './act.ts'
import type { Gathered, Memory, TaskQueueDeps } from './gather.ts'

const done: QueueAnswer = { outcome: 'Done', changes: [], paused: false, pausedByUs: false }
const queue = {
  metadata: { namespace: 'team', name: 'mail', uid: 'u2', creationTimestamp: '2026-11-29T00:00:00Z' },
  spec: { queueName: 'mail', brokerRef: { name: 'default' } },
} as unknown as TaskQueue

/** A look at a queue whose settings another TaskQueue has recorded; `found` are those of its name that the API server lists. */
async function look(list: () => Promise<{ readonly items: readonly unknown[] }>): Promise<string> {
  const signal = new AbortController().signal
  const broker = {
    applyQueue: async ({ gone }) => (gone === undefined ? { outcome: 'Conflict', owner: queueOwner('default', 'team', 'former') } : done),
  } as Partial<Broker> as Broker
  const engine: Partial<Engine> = {
    async drive(memory, _, kindAt) {
      const proof = { dispatcher: 'default/team', epoch: 1, holder: 'c/ns/lease' }
      const { result } = await visitRecord(kindAt({ broker, proof, signal }), memory, { proof, signal })
      const situation = result.kind === 'Stopped' ? result.stopped : { kind: 'Driven' }
      return { situation, happened: [] } as never
    },
  }
  const deps = {
    engine,
    client: { list },
    queues: { get: (key: string) => (key === 'team/mail' ? queue : undefined) },
    brokerClock: createBrokerClock(fakeClock()),
    installation: 'default',
    cluster: 'c1',
  } as unknown as TaskQueueDeps
  const memory = { queue, samples: [] } as unknown as Memory
  const gathered = { queue, suspension: { isSuspended: false } } as unknown as Gathered
  return (await act(deps, 'team/mail', memory, gathered, { signal, log: silentLogger })).situation.kind
}

test('the settings of a TaskQueue that the API server no longer lists are taken over', async () => {
  expect(await look(async () => ({ items: [] }))).toBe('Applied')
})

test('the settings of a TaskQueue that is there, or of which nothing is known, stay', async () => {
  expect(await look(async () => ({ items: [{ metadata: { namespace: 'team', name: 'former' } }] }))).toBe('Conflict')
  const refused = async () => Promise.reject(taskmillError('TM_KUBE_FORBIDDEN', 'cannot list'))
  expect(await look(refused)).toBe('Conflict')
})
