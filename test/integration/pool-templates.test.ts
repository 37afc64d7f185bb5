/** Templates that the API server refuses, and Deployments into which others have written, on a real API server. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Deployment, deployments, events, findCondition, type WorkerPool, workerPools } from '../../src/api/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'

let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('pool-templates')
  ;({ namespace } = home)
})

afterAll(async () => {
  await home?.close()
})

const podOf = (container: object = {}, pod: object = {}) => ({
  spec: { containers: [{ name: 'worker', image: 'localhost/none:1', ...container }], ...pod },
})
const condition = (object: WorkerPool | undefined, type: string) => findCondition(object?.status?.conditions, type)
const pool = (name: string, holds: (object: WorkerPool) => boolean): Promise<WorkerPool | undefined> =>
  observe(home.client, workerPools, { namespace, name }, (object) => object !== undefined && holds(object))
const deployment = (name: string, holds: (object: Deployment) => boolean): Promise<Deployment | undefined> =>
  observe(home.client, deployments, { namespace, name }, (object) => object !== undefined && holds(object))
const edit = (name: string, template: object): Promise<unknown> =>
  home.client.apply(workerPools, { metadata: { namespace, name }, spec: { template } }, { fieldManager: 'test', force: true })
const addJobs = async (name: string, count: number): Promise<void> => {
  const queue = new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
  await queue.addBulk(Array.from({ length: count }, () => ({ name: 'x', data: {} })))
  await queue.close()
}
const eventsAbout = async (name: string, reason: string): Promise<readonly string[]> => {
  const { items } = await home.client.list(events, { namespace })
  return items.filter((event) => event.regarding?.name === name && event.reason === reason).map(({ note = '' }) => note)
}
const containerOf = (object: Deployment | undefined): Record<string, unknown> =>
  object?.spec.template.spec?.containers[0] as unknown as Record<string, unknown>
/** Only what the test is about: the operator adds variables of its own. */
const envOf = (object: Deployment | undefined, ...names: readonly string[]): readonly unknown[] =>
  (containerOf(object)['env'] as readonly { readonly name: string }[]).filter(({ name }) => names.includes(name))
const nameField = { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } }

/** Writes as `kubectl edit` and `kubectl set` do: a replacement of the object that was read. */
async function writeAs(manager: string, name: string, change: (container: Record<string, unknown>, pod: Record<string, unknown>) => void) {
  for (;;) {
    const object = structuredClone(await home.client.get(deployments, namespace, name))
    const { spec } = object.spec.template as unknown as { spec: Record<string, unknown> & { containers: Record<string, unknown>[] } }
    change(spec.containers[0]!, spec)
    try {
      return await home.client.update(deployments, object, { fieldManager: manager })
    } catch (error) {
      if ((error as { code?: string }).code !== 'TM_KUBE_CONFLICT') throw error
    }
  }
}
const addEntry = (holder: Record<string, unknown>, list: string, entry: object): void => {
  holder[list] = [...((holder[list] as readonly object[] | undefined) ?? []), entry]
}

describe('a refused template stops nothing else', () => {
  const twice = podOf({
    env: [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
    ],
  })

  it('a variable twice, to which server-side apply answers 500: replicas, status and Events go on, and the field is named', async () => {
    await createPool(home.client, namespace, 'twice', { queues: [{ name: 'twice' }], template: podOf() })
    await pool('twice', (object) => condition(object, 'Ready')?.reason === 'ScaledToZero')
    await edit('twice', twice)
    const stalled = await pool('twice', (object) => condition(object, 'Stalled')?.reason === 'TemplateInvalid')
    expect(stalled?.status?.observedGeneration).toBe(stalled?.metadata.generation)
    const field = 'spec.template.spec.containers[name="worker"].env'
    const words = `template of generation ${stalled?.metadata.generation} refused: ${field}: two entries have name="A". Next: keep one entry with name="A" in ${field}`
    expect(condition(stalled, 'Stalled')?.message).toBe(words)
    await addJobs('twice', 100)
    await deployment('twice', ({ spec }) => spec.replicas === 10)
    const scaled = await pool('twice', ({ status }) => status?.desiredReplicas === 10 && status.backlog === 100)
    expect(scaled?.status).toMatchObject({ reason: 'TemplateInvalid', observedGeneration: stalled?.metadata.generation })
    expect(scaled?.status?.decision).toContain('refused: ')
    await expect.poll(() => eventsAbout('twice', 'ScaledUp')).toHaveLength(1)
    expect(await eventsAbout('twice', 'TemplateInvalid')).toEqual([words])
    await edit('twice', podOf({ env: [{ name: 'A', value: '2' }] }))
    await pool('twice', (object) => condition(object, 'Stalled') === undefined)
    expect(envOf(await home.client.get(deployments, namespace, 'twice'), 'A')).toEqual([{ name: 'A', value: '2' }])
  })

  it('a first template that is refused says so beside the jobs that wait', async () => {
    await addJobs('first', 7)
    await createPool(home.client, namespace, 'first', { queues: [{ name: 'first' }], template: twice })
    const stalled = await pool('first', (object) => object.status?.backlog === 7 && condition(object, 'Stalled') !== undefined)
    expect(stalled?.status).toMatchObject({ reason: 'TemplateInvalid', ready: '0/1', desiredReplicas: 1 })
    expect(condition(stalled, 'Ready')?.message).toContain('There is no Deployment yet, and 7 jobs wait')
    await edit('first', podOf({ env: [{ name: 'A', value: '2' }] }))
    await deployment('first', ({ spec }) => spec.replicas === 1)
  })

  it.each<[string, object, string]>([
    [
      'text',
      podOf({ args: [8080] }),
      'args[0]: expected string, got 8080. Next: write spec.template.spec.containers[name="worker"].args[0] as text, in quotes: "8080"',
    ],
    [
      'unit',
      podOf({ resources: { limits: { memory: '512mb' } } }),
      'a quantity (resources, sizeLimit, divisor) is not a number with a unit',
    ],
    ['field', podOf({ imag: 'x' }), 'imag: there is no such field'],
    [
      'variable',
      podOf({
        env: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: {} },
        ],
      }),
      'Next: correct spec.template.spec.containers[0].env[1].valueFrom',
    ],
    ['time', podOf({}, { terminationGracePeriodSeconds: '60' }), 'write spec.template.spec.terminationGracePeriodSeconds as a number'],
  ])('names what is wrong: %s', async (name, template, words) => {
    await createPool(home.client, namespace, name, { queues: [{ name }], template })
    const stalled = await pool(name, (object) => condition(object, 'Stalled')?.reason === 'TemplateInvalid')
    expect(condition(stalled, 'Ready')?.message).toContain(words)
  })
})

describe('what others hold in the Deployment', () => {
  it('a variable that somebody has set and the template now fills from a field is taken over, and other variables stay', async () => {
    await createPool(home.client, namespace, 'set-env', { queues: [{ name: 'set-env' }], template: podOf() })
    await deployment('set-env', () => true)
    await pool('set-env', (object) => condition(object, 'Ready')?.reason === 'ScaledToZero')
    await writeAs('kubectl-set', 'set-env', (container) => {
      addEntry(container, 'env', { name: 'X', value: '1' })
      addEntry(container, 'env', { name: 'Y', value: '2' })
    })
    await edit('set-env', podOf({ env: [{ name: 'X', valueFrom: nameField }] }))
    const after = await deployment('set-env', (object) => envOf(object, 'X').some((each) => 'valueFrom' in (each as object)))
    expect(envOf(after, 'X', 'Y')).toEqual(
      expect.arrayContaining([
        { name: 'X', valueFrom: nameField },
        { name: 'Y', value: '2' },
      ]),
    )
    await expect
      .poll(() => eventsAbout('set-env', 'FieldsTakenOver'))
      .toEqual(['field manager "kubectl-set" held containers[worker].env[X] of the Deployment; they are now as spec.template says'])
    expect(await eventsAbout('set-env', 'TemplateInvalid')).toEqual([])
    // Nobody else holds a part of it any more: with the template's, the variable goes.
    await edit('set-env', podOf())
    await deployment('set-env', (object) => envOf(object, 'X').length === 0)
  })

  it.each<[string, Parameters<typeof writeAs>[2], object, (object: Deployment) => boolean]>([
    [
      'volume',
      (_, pod) => addEntry(pod, 'volumes', { name: 'w', emptyDir: {} }),
      podOf({}, { volumes: [{ name: 'w', configMap: { name: 'c' } }] }),
      (object) => JSON.stringify(object.spec.template.spec?.['volumes']).includes('configMap'),
    ],
    [
      'mount',
      (container, pod) => {
        addEntry(pod, 'volumes', { name: 'v', emptyDir: {} })
        addEntry(container, 'volumeMounts', { name: 'v', mountPath: '/w', subPath: 'a' })
      },
      podOf({ volumeMounts: [{ name: 'z', mountPath: '/w', subPathExpr: '$(TASKMILL_POD)' }] }, { volumes: [{ name: 'z', emptyDir: {} }] }),
      (object) => JSON.stringify(containerOf(object)['volumeMounts']).includes('subPathExpr'),
    ],
    [
      'resources',
      (container) => Object.assign(container, { resources: { limits: { memory: '64Mi' } } }),
      podOf({ resources: { requests: { memory: '128Mi' } } }),
      (object) => JSON.stringify(containerOf(object)['resources']) === '{"requests":{"memory":"128Mi"}}',
    ],
    [
      'image',
      (container) => Object.assign(container, { image: 'localhost/other:9' }),
      podOf({ image: 'localhost/none:2' }),
      (object) => containerOf(object)['image'] === 'localhost/none:2',
    ],
    [
      'port',
      (container) => addEntry(container, 'ports', { containerPort: 80, hostPort: 81 }),
      podOf({ ports: [{ containerPort: 80, name: 'http' }] }, { hostNetwork: true }),
      (object) => JSON.stringify(containerOf(object)['ports']).includes('"name":"http"'),
    ],
  ])('%s', async (name, change, template, holds) => {
    await createPool(home.client, namespace, name, { queues: [{ name }], template: podOf() })
    await deployment(name, () => true)
    await pool(name, (object) => condition(object, 'Ready')?.reason === 'ScaledToZero')
    await writeAs('kubectl-edit', name, change)
    await edit(name, template)
    await deployment(name, holds)
    const settled = await pool(
      name,
      (object) => object.status?.observedGeneration === object.metadata.generation && condition(object, 'Stalled') === undefined,
    )
    expect(condition(settled, 'Ready')?.reason).toBe('ScaledToZero')
  })

  it('a template that is wrong by itself takes nothing from others', async () => {
    await createPool(home.client, namespace, 'wrong', { queues: [{ name: 'wrong' }], template: podOf() })
    await deployment('wrong', () => true)
    await writeAs('kubectl-set', 'wrong', (container) => addEntry(container, 'env', { name: 'X', value: '1' }))
    await edit('wrong', podOf({ imagePullPolicy: 'Sometimes', env: [{ name: 'X', valueFrom: nameField }] }))
    await pool('wrong', (object) => condition(object, 'Stalled')?.reason === 'TemplateInvalid')
    expect(envOf(await home.client.get(deployments, namespace, 'wrong'), 'X')).toEqual([{ name: 'X', value: '1' }])
    expect(await eventsAbout('wrong', 'FieldsTakenOver')).toEqual([])
  })
})
