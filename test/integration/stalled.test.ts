/** Every way in which a spec cannot be reached until a user changes something: reached here, or beside the other things of the operator. */
import { globSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deployments, findCondition, kinds, workerPools } from '../../src/api/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'
import { fetchFrom } from '../support/operator-http.ts'

let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('stalled')
  ;({ namespace } = home)
})

afterAll(async () => {
  await home?.close()
})

it('says of a rollout without progress where to look', async () => {
  await createPool(home.client, namespace, 'stuck', { queues: [{ name: 'stuck' }], scaling: { minReplicas: 1 } })
  await observe(home.client, deployments, { namespace, name: 'stuck' }, (object) => object?.spec.replicas === 1)
  // No node here: the pods stay Pending, and a second is soon over.
  const impatient = { metadata: { namespace, name: 'stuck' }, spec: { progressDeadlineSeconds: 1 } }
  await home.client.apply(deployments, impatient, { fieldManager: 'test' })
  const stalled = await observe(
    home.client,
    workerPools,
    { namespace, name: 'stuck' },
    (object) => findCondition(object?.status?.conditions, 'Stalled')?.reason === 'ProgressDeadlineExceeded',
  )
  expect(findCondition(stalled?.status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'DeploymentUnavailable' })
  expect(findCondition(stalled?.status?.conditions, 'Stalled')?.message).toMatch(
    /^0 of 1 pod is ready: .*progress.*Next: kubectl describe pods -l 'taskmill\.dev\/pool=stuck'$/u,
  )
})

it('leaves a stalled pool alone while nothing changes that it reads', async () => {
  const template = { spec: { containers: [{ name: 'worker', image: 'localhost/none:1', imagePullPolicy: 'Sometimes' }] } }
  await createPool(home.client, namespace, 'refused', { queues: [{ name: 'refused' }], template })
  await observe(home.client, workerPools, { namespace, name: 'refused' }, (object) => object?.status?.reason === 'TemplateInvalid')
  // If pods of a pool do not start, a user has to look at the pods.
  await home.client.delete(workerPools, namespace, 'stuck')
  await observe(home.client, deployments, { namespace, name: 'stuck' }, (object) => object === undefined)
  await settled(reconciliations)
  const before = await reconciliations()
  await sleep(5000)
  expect(await reconciliations()).toBe(before)
})

/** How often the operator has looked at a pool since it started, from its own metrics. */
async function reconciliations(): Promise<number> {
  const { text } = await fetchFrom(home.operator, '/metrics')
  const lines = text.split('\n').filter((line) => line.startsWith('controller_runtime_reconcile_total{controller="worker-pool"'))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** What followed from the last change is over: a second without another look. */
async function settled(count: () => Promise<number>): Promise<void> {
  for (let before = await count(); ;) {
    await sleep(1000)
    const now = await count()
    if (now === before) return
    before = now
  }
}

it('has a test for every reason of Stalled', () => {
  const tests = globSync('test/integration/*.test.ts')
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  // Asked for by name, waited for as a line, or by a row of the table of graphs that are at fault.
  const named = /'Stalled'\)(?:\?\.reason)? === '(\w+)'|'Stalled True (\w+)'|\['(\w+)', \{ nodes: /gu
  const reached = new Set(Array.from(tests.matchAll(named), ([, ...names]) => names.find((name) => name !== undefined)))
  const declared = kinds.flatMap(({ conditions }) => Object.keys(conditions['Stalled']?.reasons ?? {}))
  expect(reached).toEqual(new Set(declared))
})
