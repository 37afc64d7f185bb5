import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startControlPlane, type ControlPlane } from '../../hack/cluster/control-plane.ts'
import { deployments, events, leases, workerPools, type KubeObject, type Resource, type WorkerPool } from '../../src/api/index.ts'
import { sleep, systemClock as clock } from '../../src/clock/index.ts'
import { hasCode } from '../../src/errors/index.ts'
import {
  createClosingNamespaces,
  createEventRecorder,
  createInformer,
  createKubeClient,
  createLease,
  loadKubeConfig,
  type Informer,
  type KubeClient,
} from '../../src/kube/index.ts'
import { silentLogger as log } from '../../src/observability/index.ts'
import { createElector } from '../../src/runtime/index.ts'
import { createStatusWriter, createWriteBudget } from '../../src/services/status/index.ts'

type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> }
const configMaps: Resource<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true }
const namespaces: Resource<KubeObject> = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
const definitions: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}

const namespace = 'kube-test'
const by = { fieldManager: 'kube-test' }
let cluster: ControlPlane
let client: KubeClient

/** Looks until it is so; the test's own time limit ends it. */
const eventually = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await sleep(clock, 20)
}

const condition = (type: string) => ({
  type,
  status: 'True' as const,
  reason: 'Test',
  message: '',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00Z',
})

const pool = (name: string, replicas: { minReplicas: number; maxReplicas: number }) => ({
  metadata: { namespace, name },
  spec: { queues: [{ name: 'mail' }], scaling: replicas, template: { spec: { containers: [{ name: 'worker', image: 'none' }] } } },
})

beforeAll(async () => {
  cluster = await startControlPlane({ controllerManager: true })
  const config = await loadKubeConfig({ env: { KUBECONFIG: cluster.kubeconfig }, readFile: (path) => readFile(path, 'utf8'), clock })
  client = createKubeClient({ ...config, clock })
  for (const file of await readdir('crds')) await client.apply(definitions, parse(await readFile(`crds/${file}`, 'utf8')), by)
  await client.create(namespaces, { metadata: { name: namespace } }, by)
  await eventually(() =>
    client.list(workerPools).then(
      () => true,
      () => false,
    ),
  )
})

afterAll(async () => {
  await client?.close()
  await cluster?.stop()
})

test('a client lists page by page and in one snapshot', async () => {
  for (let n = 0; n < 5; n++) await client.create(configMaps, { metadata: { namespace, name: `page-${n}`, labels: { set: 'pages' } } }, by)
  const first = await client.list(configMaps, { namespace, labelSelector: 'set=pages', limit: 2 })
  await client.delete(configMaps, namespace, 'page-4')
  const second = await client.list(configMaps, { namespace, labelSelector: 'set=pages', limit: 10, continue: first.continue })
  expect([...first.items, ...second.items].map((item) => item.metadata.name)).toEqual(['page-0', 'page-1', 'page-2', 'page-3', 'page-4'])
  expect([second.resourceVersion, second.continue]).toEqual([first.resourceVersion, undefined])
})

test('refusals carry the words of the API server', async () => {
  await expect(client.get(configMaps, namespace, 'nobody')).rejects.toMatchObject({
    code: 'TM_KUBE_NOT_FOUND',
    message: 'configmaps "nobody" not found',
    details: { status: 404, reason: 'NotFound' },
  })
  await expect(client.create(namespaces, { metadata: { name: namespace } }, by)).rejects.toMatchObject({ code: 'TM_KUBE_ALREADY_EXISTS' })
  await expect(client.create(workerPools, pool('wrong', { minReplicas: 9, maxReplicas: 1 }) as never, by)).rejects.toMatchObject({
    code: 'TM_KUBE_INVALID',
    details: {
      causes: [expect.objectContaining({ field: expect.stringContaining('spec.scaling'), message: expect.stringContaining('must not') })],
    },
  })
})

test('misspelt fields are refused when asked to, and warned of otherwise', async () => {
  const warnings: string[] = []
  const object = { metadata: { namespace, name: 'misspelt' }, dato: { a: '1' } } as never
  await expect(client.apply(configMaps, object, { ...by, fieldValidation: 'Strict', dryRun: true })).rejects.toThrow('dato')
  await client.create(configMaps, object, { ...by, onWarning: (text) => warnings.push(text) })
  expect(warnings).toEqual([expect.stringContaining('unknown field "dato"')])
})

test('a service account is known by its token and may do nothing', async () => {
  const token = await cluster.serviceAccountToken('default', 'default')
  const poor = createKubeClient({ server: cluster.server, clock, credentials: async () => ({ ca: cluster.ca, token }) })
  await expect(poor.list(configMaps, { namespace })).rejects.toMatchObject({
    code: 'TM_KUBE_FORBIDDEN',
    message: expect.stringContaining('system:serviceaccount:default:default'),
  })
  const stranger = createKubeClient({ server: cluster.server, clock, credentials: async () => ({ ca: cluster.ca, token: 'wrong' }) })
  await expect(stranger.list(configMaps)).rejects.toMatchObject({ code: 'TM_KUBE_UNAUTHORIZED' })
  const distrustful = createKubeClient({ server: cluster.server, clock })
  await expect(distrustful.raw('/version')).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  await Promise.all([poor.close(), stranger.close(), distrustful.close()])
})

test('an apply with the UID of an object that is gone creates nothing', async () => {
  const object = { metadata: { namespace, name: 'once' }, data: { a: '1' } }
  const { metadata } = await client.apply(configMaps, object, by)
  const { name, uid } = metadata
  await client.apply(configMaps, { ...object, metadata: { namespace, name, uid }, data: { a: '2' } }, by)
  await expect(
    client.apply(configMaps, { metadata: { namespace, name }, data: { a: '3' } }, { fieldManager: 'another' }),
  ).rejects.toMatchObject({
    code: 'TM_KUBE_CONFLICT',
    details: { causes: [expect.objectContaining({ reason: 'FieldManagerConflict', field: '.data.a' })] },
  })
  await expect(client.delete(configMaps, namespace, name, { preconditions: { uid: 'another' } })).rejects.toMatchObject({
    code: 'TM_KUBE_CONFLICT',
  })
  await client.delete(configMaps, namespace, name, { preconditions: { uid: uid ?? '' } })
  await expect(client.apply(configMaps, { metadata: { namespace, name, uid } }, by)).rejects.toMatchObject({ code: 'TM_KUBE_CONFLICT' })
  await expect(client.get(configMaps, namespace, name)).rejects.toMatchObject({ code: 'TM_KUBE_NOT_FOUND' })
})

test('a status is applied apart from the spec; the same again changes nothing, what is left out goes', async () => {
  const { metadata } = await client.create(workerPools, pool('status', { minReplicas: 1, maxReplicas: 2 }) as never, by)
  const target = { namespace, name: 'status', uid: metadata.uid }
  const apply = (types: readonly string[]) =>
    client.applyStatus(
      workerPools,
      { metadata: target, status: { observedGeneration: 1, conditions: types.map(condition) } },
      { fieldManager: 'status', force: true },
    )
  const first = await apply(['Ready', 'Stalled'])
  const again = await apply(['Ready', 'Stalled'])
  const last: WorkerPool = await apply(['Ready'])
  expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
  expect(last.status?.conditions?.map(({ type }) => type)).toEqual(['Ready'])
  expect([last.metadata.generation, last.spec.scaling.minReplicas]).toEqual([1, 1])
})

const following = (signal: AbortSignal) => {
  const told: string[] = []
  const informer: Informer<ConfigMap> = createInformer({
    client,
    resource: configMaps,
    namespace,
    labelSelector: 'set=followed',
    clock,
    log,
    rng: Math.random,
  })
  informer.onChange((key, current, previous) => void told.push(`${key} ${previous?.data?.['n'] ?? '-'} > ${current?.data?.['n'] ?? '-'}`))
  informer.start(signal)
  return { informer, told }
}
const followed = (name: string, n: string) => ({ metadata: { namespace, name, labels: { set: 'followed' } }, data: { n } })

test('an informer sees what is created, changed, replaced and deleted', async () => {
  await client.create(configMaps, followed('before', '0'), by)
  const stop = new AbortController()
  const { informer, told } = following(stop.signal)
  await informer.synced
  expect(told.splice(0)).toEqual(['kube-test/before - > 0'])
  await client.create(configMaps, followed('a', '1'), by)
  await client.update(configMaps, followed('a', '2'), by)
  await client.delete(configMaps, namespace, 'a')
  await client.create(configMaps, followed('a', '3'), by)
  await client.create(configMaps, { metadata: { namespace, name: 'stranger' } }, by)
  await client.delete(configMaps, namespace, 'before')
  await eventually(() => told.length >= 5)
  expect(told).toEqual(['- > 1', '1 > 2', '2 > -', '- > 3'].map((change) => `kube-test/a ${change}`).concat('kube-test/before 0 > -'))
  expect(informer.list().map((object) => object.metadata)).toEqual([expect.not.objectContaining({ managedFields: expect.anything() })])
  stop.abort()
  await informer.stopped
  await client.create(configMaps, followed('after', '1'), by)
  expect(informer.get(`${namespace}/after`)).toBeUndefined()
})

test('an informer streams its first list; the server refuses by TM_KUBE_INVALID what it does not understand of it', async () => {
  const stop = new AbortController()
  const list = async () => Promise.reject(new Error('listed in pages'))
  const informer = createInformer({
    client: { ...client, list },
    resource: configMaps,
    namespace,
    labelSelector: 'set=pages',
    clock,
    log,
    rng: Math.random,
    indexes: { byInitial: ({ metadata }) => [metadata.name.slice(0, 4)] },
  })
  informer.start(stop.signal)
  await informer.synced
  const names = () => informer.byIndex('byInitial', 'page').map(({ metadata }) => metadata.name)
  expect(names()).toEqual(['page-0', 'page-1', 'page-2', 'page-3'])
  await client.delete(configMaps, namespace, 'page-0')
  await eventually(() => names().length === 3)
  stop.abort()
  await informer.stopped
  await expect(client.raw('/api/v1/configmaps?watch=true&sendInitialEvents=true')).rejects.toMatchObject({
    code: 'TM_KUBE_INVALID',
    details: { status: 422 },
  })
})

test('an informer that may not stream reads pages, whose size the server honours', async () => {
  for (let at = 0; at < 1_100; at += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        client.create(configMaps, { metadata: { namespace, name: `many-${at + n}`, labels: { set: 'many' } } }, by),
      ),
    )
  const sizes: number[] = []
  const stop = new AbortController()
  const informer = createInformer({
    client: {
      ...client,
      async list(resource, o) {
        const page = await client.list(resource, o)
        sizes.push(page.items.length)
        return page
      },
    },
    resource: configMaps,
    namespace,
    labelSelector: 'set=many',
    streamLists: false,
    clock,
    log,
    rng: Math.random,
  })
  informer.start(stop.signal)
  await informer.synced
  expect([informer.list().length, sizes]).toEqual([1_100, [250, 250, 250, 250, 100]])
  stop.abort()
  await informer.stopped
})

test('replicas are read and set through the scale of an object', async () => {
  const template = { metadata: { labels: { app: 'scaled' } }, spec: { containers: [{ name: 'c', image: 'none' }] } }
  const spec = { replicas: 0, selector: { matchLabels: { app: 'scaled' } }, template }
  await client.create(deployments, { metadata: { namespace, name: 'scaled' }, spec }, by)
  expect((await client.getScale(deployments, namespace, 'scaled')).spec?.replicas ?? 0).toBe(0)
  expect(await client.patchScale(deployments, namespace, 'scaled', 2, by)).toMatchObject({ kind: 'Scale', spec: { replicas: 2 } })
  const { metadata, spec: written } = await client.get(deployments, namespace, 'scaled')
  const owners = metadata.managedFields as { manager: string; subresource?: string }[]
  expect([written.replicas, owners.some((o) => o.manager === by.fieldManager && o.subresource === 'scale')]).toEqual([2, true])
  await client.delete(deployments, namespace, 'scaled')
})

test('an informer survives the API server: killed, stopped, restarted', async () => {
  const stop = new AbortController()
  const { informer } = following(stop.signal)
  await informer.synced
  for (const [round, down] of [() => cluster.kill9ApiServer(), () => cluster.stopApiServer()].entries()) {
    await client.apply(configMaps, followed('survivor', `${round}`), { ...by, force: true })
    await eventually(() => informer.get(`${namespace}/survivor`)?.data?.['n'] === `${round}`)
    await down()
    await expect(client.get(configMaps, namespace, 'survivor')).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
    expect(informer.get(`${namespace}/survivor`)).toBeDefined()
    await cluster.restartApiServer()
    await client.delete(configMaps, namespace, 'survivor')
    await client.create(configMaps, followed(`round-${round}`, '1'), by)
    await eventually(() => informer.get(`${namespace}/round-${round}`) !== undefined && informer.get(`${namespace}/survivor`) === undefined)
  }
  stop.abort()
  await informer.stopped
  // A server that has just started remembers nothing of what was before.
  await expect(client.watch(configMaps, { resourceVersion: '1', timeoutSeconds: 5 }).next()).rejects.toMatchObject({ code: 'TM_KUBE_GONE' })
})

test('a lease is created once, and an update needs the newest version', async () => {
  const lease = createLease(client, { namespace, name: 'lease' })
  const signal = AbortSignal.timeout(30_000)
  const record = { holder: 'a', durationMs: 15_000, acquiredAtMs: clock.now(), renewedAtMs: clock.now(), transitions: 0 }
  expect(await lease.read(signal)).toBeUndefined()
  const created = await lease.create(record, signal)
  await expect(lease.create(record, signal)).rejects.toMatchObject({ code: 'TM_KUBE_ALREADY_EXISTS' })
  const renewed = await lease.update({ ...created, renewedAtMs: clock.now() }, signal)
  await expect(lease.update({ ...created, holder: 'b' }, signal)).rejects.toMatchObject({ code: 'TM_KUBE_CONFLICT' })
  expect(await lease.read(signal)).toEqual(renewed)
  const stored = await client.get(leases, namespace, 'lease')
  expect(stored.spec?.renewTime).toMatch(/\.\d{6}Z$/)
  await client.delete(leases, namespace, 'lease')
  await expect(lease.update(renewed, signal)).rejects.toSatisfy((error: unknown) => hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT'))
})

test('of two electors one leads; when it stops, the other does', async () => {
  const order: string[] = []
  const candidate = (identity: string) => {
    const stop = new AbortController()
    const elector = createElector({ lease: createLease(client, { namespace, name: 'elected' }), identity, clock, log, rng: Math.random })
    const run = elector.run(stop.signal, async (leading) => {
      order.push(identity)
      await new Promise((resolve) => leading.addEventListener('abort', resolve))
    })
    return { elector, stop, run }
  }
  const a = candidate('a')
  await eventually(() => a.elector.isTrusted())
  const b = candidate('b')
  a.stop.abort()
  await a.run
  await eventually(() => b.elector.isTrusted())
  expect([order, a.elector.isTrusted()]).toEqual([['a', 'b'], false])
  b.stop.abort()
  await b.run
  expect((await client.get(leases, namespace, 'elected')).spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 })
})

test('a status of what went with its namespace shows that the namespace goes; one of what went alone shows nothing', async () => {
  const [place, going] = [namespace, 'kube-test-going']
  await client.create(namespaces, { metadata: { name: going } }, by)
  const scaling = { minReplicas: 0, maxReplicas: 2 }
  const poolIn = (where: string) => ({ ...pool('gone', scaling), metadata: { namespace: where, name: 'gone' } })
  const [alone, withIt] = await Promise.all([place, going].map((where) => client.create(workerPools, poolIn(where) as never, by)))
  // Keeps the namespace from being gone before its pool is.
  const held = { metadata: { namespace: going, name: 'held', finalizers: ['acme.dev/held'] } }
  await client.create(configMaps, held, by)
  await client.delete(workerPools, place, 'gone')
  await client.delete(namespaces, undefined, going)
  const isGone = async (where: string) => {
    const { items } = await client.list(workerPools, { namespace: where, fieldSelector: 'metadata.name=gone' })
    return items.length === 0
  }
  await eventually(async () => (await isGone(place)) && (await isGone(going)))

  const closing = createClosingNamespaces({ client, clock })
  const answers: unknown[] = []
  const asking = createClosingNamespaces({
    clock,
    client: {
      ...client,
      async create(...request) {
        const answer = await client.create(...request).catch((error: unknown) => error)
        answers.push(answer)
        if (answer instanceof Error) throw answer
        return answer as never
      },
    },
  })
  for (const each of [alone, withIt]) {
    const writer = createStatusWriter<WorkerPool>({
      client: asking.client,
      resource: workerPools,
      fieldManager: 'kube-test',
      clock,
      transitionOf: () => undefined,
      budget: createWriteBudget({ clock, perSecond: 10, closing: asking }),
    })
    expect(await writer.write('gone', each as WorkerPool, { observedGeneration: 1, conditions: [] })).toEqual({})
  }
  await eventually(() => answers.length === 2)
  await sleep(clock, 0)
  expect([asking.isClosing({ namespace: place }), asking.isClosing({ namespace: going })]).toEqual([false, true])
  expect((await client.list(events, { namespace: place, fieldSelector: 'metadata.name=taskmill-trial' })).items).toEqual([])
  // And a refused write by itself.
  const late = { metadata: { namespace: going, name: 'late' } }
  await expect(closing.client.create(configMaps, late, by)).rejects.toThrow('being terminated')
  expect(closing.isClosing({ namespace: going })).toBe(true)
  await client.patch(configMaps, { metadata: { namespace: going, name: 'held', finalizers: [] } } as never, by)
})

test('an event about an object is recorded, and its repetition counted', async () => {
  const about = await client.create(workerPools, pool('eventful', { minReplicas: 0, maxReplicas: 2 }) as never, by)
  const recorder = createEventRecorder({
    client,
    closing: createClosingNamespaces({ client, clock }),
    clock,
    log,
    component: 'taskmill.dev/operator',
    instance: 'operator-1',
  })
  const input = { type: 'Normal', reason: 'ScaledUp', action: 'Scale', note: 'from 0 to 2' } as const
  recorder.event(about, input)
  const recorded = async () =>
    (await client.list(events, { namespace })).items.filter((event) => event.regarding.uid === about.metadata.uid)
  await eventually(async () => (await recorded()).length > 0)
  recorder.event(about, input)
  await recorder.flush()
  expect(await recorded()).toEqual([
    expect.objectContaining({
      ...input,
      reportingController: 'taskmill.dev/operator',
      series: { count: 2, lastObservedTime: expect.stringMatching(/\.\d{6}Z$/) },
    }),
  ])
  // Where `kubectl describe` looks for it.
  const legacy = JSON.parse(
    await client.raw(`/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.uid=${about.metadata.uid}`),
  ) as { items: unknown[] }
  expect(legacy.items).toEqual([expect.objectContaining({ message: 'from 0 to 2', reason: 'ScaledUp' })])
})
