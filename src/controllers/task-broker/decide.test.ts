import { expect, it } from 'vitest'
import type { TaskBroker, TaskBrokerStatus } from '../../api/index.ts'
import { decide, type Look } from './decide.ts'

const broker: TaskBroker = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'TaskBroker',
  metadata: { name: 'default', namespace: 'acme', generation: 2 },
  spec: { standalone: { address: 'redis:6379' }, keyPrefix: 'bull' },
}
const up: Look = { reachable: true, version: '7.0.15', evictionPolicy: 'noeviction' }
const away: Look = { reachable: false, message: 'connect ECONNREFUSED' }
const planOf = (look: Look, status?: TaskBrokerStatus, nowMs = 0) => decide({ broker, status, look, nowMs })
const facts = (status: TaskBrokerStatus) => status.conditions?.map(({ type, status: holds, reason }) => `${type} ${holds} ${reason}`)

it('says what it reached, once', () => {
  const { status, events } = planOf(up)
  expect(status).toMatchObject({ observedGeneration: 2, version: '7.0.15', evictionPolicy: 'noeviction' })
  expect(facts(status)).toEqual(['Ready True Connected', 'BrokerReachable True Connected'])
  expect(events.map((event) => event.reason)).toEqual(['BrokerReachable'])
  expect(planOf(up, status, 60_000)).toEqual({ status, events: [] })
})

it('keeps what it knew of a broker that went away, and says so once', () => {
  const before = planOf(up).status
  const { status, events } = planOf(away, before, 60_000)
  expect(status).toMatchObject({ version: '7.0.15' })
  expect(facts(status)).toEqual([
    'Ready False ConnectionFailed',
    'Reconciling True ConnectionFailed',
    'BrokerReachable False ConnectionFailed',
  ])
  expect(events).toMatchObject([{ type: 'Warning', reason: 'BrokerUnreachable', note: expect.stringContaining('connect ECONNREFUSED') }])
  expect(planOf(away, status, 90_000).events).toEqual([])
})

it('warns of a server that may evict jobs', () => {
  const { status } = planOf({ ...up, evictionPolicy: 'allkeys-lru' })
  expect(status.conditions?.[0]?.message).toBe(
    'redis:6379 answers: version 7.0.15. maxmemory-policy is allkeys-lru: jobs may be lost when memory runs out. Next: set it to noeviction',
  )
})
