import { expect, it } from 'vitest'
import { deploymentFor } from './deployment.ts'
import { broker, poolOf } from './fixtures.ts'

type Container = { name: string; env?: { name: string; value?: string }[] }
const containersOf = (pool = poolOf()): Container[] =>
  (deploymentFor(pool, broker).spec.template['spec'] as { containers: Container[] }).containers
const environmentOf = (container: Container | undefined): Record<string, string | undefined> =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]))

it('belongs to the pool and leaves the replicas to their own manager', () => {
  const { metadata, spec } = deploymentFor(poolOf(), broker)
  expect(metadata).toMatchObject({
    name: 'email',
    namespace: 'acme',
    ownerReferences: [{ kind: 'WorkerPool', uid: 'pool-uid', controller: true }],
  })
  expect(spec).not.toHaveProperty('replicas')
  expect(spec.selector.matchLabels).toEqual({ 'taskmill.dev/pool': 'email' })
})

it('injects what the worker has to know', () => {
  const pool = poolOf({ queues: [{ name: 'a' }, { name: 'b' }], drainTimeoutSeconds: 300 })
  expect(environmentOf(containersOf(pool)[0])).toEqual({
    TASKMILL_POOL: 'email',
    TASKMILL_NAMESPACE: 'acme',
    TASKMILL_POD: undefined,
    TASKMILL_QUEUES: 'a,b',
    TASKMILL_CONCURRENCY: '4',
    TASKMILL_DRAIN_TIMEOUT_SECONDS: '300',
    TASKMILL_BROKER_ADDRESS: 'redis:6379',
    TASKMILL_BROKER_KEY_PREFIX: 'bull',
  })
})

it('injects into the container named worker, else into the first one, and into no other', () => {
  const named = containersOf(poolOf({ template: { spec: { containers: [{ name: 'proxy' }, { name: 'worker' }] } } }))
  expect(named.map((container) => container.env === undefined)).toEqual([true, false])
  const first = containersOf(poolOf({ template: { spec: { containers: [{ name: 'main' }, { name: 'proxy' }] } } }))
  expect(first.map((container) => container.env === undefined)).toEqual([false, true])
})

it('lets the template override a variable', () => {
  const env = [{ name: 'TASKMILL_CONCURRENCY', value: '9' }]
  const [container] = containersOf(poolOf({ template: { spec: { containers: [{ name: 'worker', env }] } } }))
  expect(container?.env?.filter(({ name }) => name === 'TASKMILL_CONCURRENCY')).toEqual(env)
})

it.each([
  { declared: undefined, want: 40 },
  { declared: 10, want: 40 },
  { declared: 600, want: 600 },
])('gives the pod time to drain: grace period $declared becomes $want', ({ declared, want }) => {
  const spec = { containers: [{ name: 'worker' }], ...(declared === undefined ? {} : { terminationGracePeriodSeconds: declared }) }
  const { template } = deploymentFor(poolOf({ template: { spec } }), broker).spec
  expect(template['spec']).toMatchObject({ terminationGracePeriodSeconds: want })
})

it('keeps the labels and annotations of the template', () => {
  const template = { metadata: { labels: { team: 'mail' }, annotations: { note: 'x' } }, spec: { containers: [{ name: 'worker' }] } }
  expect(deploymentFor(poolOf({ template }), broker).spec.template['metadata']).toEqual({
    labels: { team: 'mail', 'taskmill.dev/pool': 'email' },
    annotations: { note: 'x' },
  })
})
