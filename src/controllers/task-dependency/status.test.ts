import { expect, it } from 'vitest'
import type { TaskDependency } from '../../api/index.ts'
import { transitionEvents } from './events.ts'
import type { World } from './gather.ts'
import { statusOf } from './status.ts'

const fault = { reason: 'TemplateInvalid', field: 'spec.nodes[0].job', message: 'wrong. Next: correct it' } as const

const worldOf = (generation: number, more: Partial<World> = {}): World => ({
  dependency: {
    metadata: { namespace: 'acme', name: 'g', uid: 'u', generation },
    spec: { brokerRef: { name: 'default' }, nodes: [{ name: 'a' }] },
  } as unknown as TaskDependency,
  status: undefined,
  shape: { ok: true, nodes: 1, edges: 0 },
  trials: { faults: [], warnings: [], isComplete: true },
  tryAgainAtMs: undefined,
  hasBroker: true,
  runs: [],
  nowMs: 0,
  ...more,
})
const unanswered = { faults: [], warnings: [], isComplete: false }

it('a process that gets no answer to the templates keeps what the status says of this very graph, and tells it no second time', () => {
  const refused = statusOf(worldOf(3, { trials: { faults: [fault], warnings: [], isComplete: true } }))
  const facts = ({ conditions = [] }: typeof refused) => conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`)
  expect(facts(refused)).toEqual(['Ready False TemplateInvalid', 'Stalled True TemplateInvalid'])
  const after = statusOf(worldOf(3, { status: refused, trials: unanswered }))
  expect(after.conditions).toEqual(refused.conditions)
  expect(transitionEvents(refused, after)).toEqual([])
  expect(facts(statusOf(worldOf(4, { status: refused, trials: unanswered })))).toEqual(['Ready True GraphValid'])
  expect(facts(statusOf(worldOf(3, { status: refused })))).toEqual(['Ready True GraphValid'])
})
