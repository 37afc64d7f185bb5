/** Kubernetes Jobs as what carries out a node or slot, on a real API server with a real Job controller; the tests play the kubelet. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Job, jobs as jobResource, type JobTemplate, pods } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { labels } from '../../src/contract/index.ts'
import { createInformer, type Informer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createJobs, jobNamed, type Jobs, startersOf } from '../../src/services/jobs/index.ts'
import { isAcknowledged, type WantedJob } from '../../src/workloads/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { endPods, observeJob, runningPods } from '../support/job-pods.ts'

let cluster: TestCluster
let client: KubeClient
let cache: Informer<Job, 'byStarter'>
let jobs: Jobs
const stop = new AbortController()
const call = { signal: stop.signal }
let namespace: string

beforeAll(async () => {
  cluster = await openCluster()
  ;({ client } = cluster)
  namespace = await cluster.createNamespace('jobs')
  const deps = { client, clock: systemClock, log: silentLogger }
  cache = createInformer<Job, 'byStarter'>({
    ...deps,
    resource: jobResource,
    namespace,
    rng: Math.random,
    labelSelector: labels.startedBy,
    indexes: { byStarter: startersOf },
  })
  cache.start(stop.signal)
  await cache.synced
  jobs = createJobs({ ...deps, cache })
  cache.onChange((key) => jobs.noteChange(key))
})

afterAll(async () => {
  stop.abort()
  await cluster?.close()
})

const templateOf = (spec: object = {}, container: object = {}): JobTemplate => ({
  spec: {
    backoffLimit: 0,
    ...spec,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none', ...container }] } },
  },
})
const wantedOf = (node: string, template = templateOf()): WantedJob => ({
  ...jobNamed(namespace, ['x7k2p', node], `tm/x7k2p/${node}`),
  labels: { [labels.startedBy]: 'TaskExecution', [labels.execution]: 'x7k2p', [labels.node]: node },
  template,
  field: 'spec.job',
})
const cached = async (wanted: WantedJob, holds: (job: Job) => boolean): Promise<Job> => {
  await expect
    .poll(
      () => {
        const job = cache.get(`${namespace}/${wanted.name}`)
        return job !== undefined && holds(job)
      },
      { timeout: 60_000 },
    )
    .toBe(true)
  return cache.get(`${namespace}/${wanted.name}`)!
}

it('is created once, however often create is called, and is Running until all of it has ended', async () => {
  const wanted = wantedOf('once')
  expect(await jobs.create(wanted, call)).toEqual({ kind: 'Created', warnings: [] })
  // Whether the cache shows it by now or not.
  expect(await jobs.create(wanted, call)).toEqual({ kind: 'Created', warnings: [] })
  expect(await jobs.look(wanted, call)).toMatchObject({ kind: 'Running' })
  const blind = createJobs({ client, clock: systemClock, log: silentLogger, cache: { get: () => undefined, byIndex: () => [] } })
  expect(await blind.create(wanted, call)).toEqual({ kind: 'Created', warnings: [] })
  expect(await blind.look(wanted, call)).toMatchObject({ kind: 'Running' })
  await endPods(client, wanted, { exitCode: 0 })
  const job = await cached(wanted, ({ status }) => status?.completionTime !== undefined)
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Ended', job })
  expect(await jobs.report(job, call)).toMatchObject({ outcome: 'Succeeded', reason: 'Succeeded', attemptsMade: 1 })
  expect(await jobs.remove(wanted, call)).toBe('Ended')
  expect(jobs.startedBy({ kind: 'TaskExecution', namespace, name: 'x7k2p' })).toContain(job)
  expect(jobs.startedBy({ kind: 'TaskSchedule', namespace, name: 'x7k2p' })).toEqual([])
})

it('tells of a failure what its last pod said, and gets a TTL only once that is acknowledged', async () => {
  const wanted = wantedOf('bad', templateOf({ ttlSecondsAfterFinished: 700 }))
  await jobs.create(wanted, call)
  await endPods(client, wanted, { exitCode: 3, message: 'the disk is full' })
  const job = await cached(wanted, ({ status }) => status?.conditions?.some(({ type }) => type === 'Failed') === true)
  const [pod] = (await client.list(pods, { namespace, labelSelector: `batch.kubernetes.io/job-name=${wanted.name}` })).items
  expect(await jobs.report(job, call)).toMatchObject({
    outcome: 'Failed',
    reason: 'BackoffLimitExceeded',
    attemptsMade: 1,
    pod: pod?.metadata.name,
    message: expect.stringMatching(/^pod .*, container main: exit code 3: the disk is full\. Next: kubectl logs .*; Job has reached/u),
  })
  expect(job.spec.ttlSecondsAfterFinished).toBeUndefined()
  expect(isAcknowledged(job)).toBe(false)
  await jobs.acknowledge(job, call)
  const after = await observeJob(client, wanted, (each) => each?.spec.ttlSecondsAfterFinished !== undefined)
  expect(after?.spec.ttlSecondsAfterFinished).toBe(700)
  expect(isAcknowledged(after!)).toBe(true)
  await client.delete(jobResource, namespace, wanted.name, { propagationPolicy: 'Background' })
  await observeJob(client, wanted, (each) => each === undefined)
  // Nothing is created in its place.
  await jobs.acknowledge(job, call)
  await expect.poll(() => jobs.look(wanted, call), { timeout: 60_000 }).toEqual({ kind: 'Absent' })
})

it('goes with its pods when it is removed, and only if it is this one', async () => {
  const wanted = wantedOf('gone')
  await jobs.create(wanted, call)
  await runningPods(client, wanted)
  expect(await jobs.remove({ ...wanted, id: 'another' }, call)).toBe('Absent')
  expect(await jobs.remove(wanted, call)).toBe('Removed')
  await observeJob(client, wanted, (job) => job === undefined)
  const left = async () =>
    (await client.list(pods, { namespace, labelSelector: `batch.kubernetes.io/job-name=${wanted.name}` })).items.length
  await expect.poll(left, { timeout: 60_000 }).toBe(0)
  expect(await jobs.remove(wanted, call)).toBe('Absent')
})

it('does not touch a Job that a user has created under its name', async () => {
  const wanted = wantedOf('taken')
  const foreign = { metadata: { namespace, name: wanted.name }, spec: { suspend: true, ...templateOf().spec } }
  await client.create(jobResource, foreign, { fieldManager: 'test' })
  expect(await jobs.create(wanted, call)).toEqual({
    kind: 'Refused',
    reason: 'JobNameTaken',
    message: expect.stringContaining('Next: delete or rename it'),
  })
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Absent' })
  expect(await jobs.remove(wanted, call)).toBe('Absent')
  expect(await client.get(jobResource, namespace, wanted.name)).toMatchObject({ spec: { suspend: true } })
})

it.each([
  [
    'a field that is misspelt',
    templateOf({ backofLimit: 1 }),
    'spec.job.spec.backofLimit: there is no such field. Next: correct the name spec.job.spec.backofLimit, or remove it',
  ],
  ['a value that cannot be', templateOf({ backoffLimit: -1 }), 'spec.backoffLimit: Invalid value'],
  ['a container without an image', templateOf({}, { image: '' }), 'image: Required value'],
])('is refused for good with %s, in the words of the API server, and so is the trial', async (_, template, words) => {
  const wanted = wantedOf('refused', template)
  const message = expect.stringContaining(words)
  expect(await jobs.create(wanted, call)).toEqual({ kind: 'Refused', reason: 'TemplateInvalid', message })
  expect(await jobs.dryRun(namespace, template, call)).toMatchObject({
    kind: 'Invalid',
    refusal: { kind: 'Invalid', actor: 'Author', problems: [{ field: expect.stringMatching(/^spec\./u) }] },
  })
})

it('can be tried, which creates nothing', async () => {
  expect(await jobs.dryRun(namespace, templateOf(), call)).toEqual({ kind: 'Fine', warnings: [] })
  const { items } = await client.list(jobResource, { namespace })
  expect(items.filter(({ metadata }) => metadata.name.startsWith('trial'))).toEqual([])
})

it('is postponed while a quota is in the way', async () => {
  const full = 'full'
  await client.create(
    { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
    { metadata: { name: full } },
    { fieldManager: 'test' },
  )
  const quotas = { group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true }
  const quota = { metadata: { namespace: full, name: 'none' }, spec: { hard: { 'count/jobs.batch': '0' } } }
  await client.create(quotas, quota, { fieldManager: 'test' })
  const wanted = { ...wantedOf('full'), namespace: full }
  // The quota counts once its controller has seen it.
  await expect
    .poll(() => jobs.create({ ...wanted, name: `full-${Date.now()}` }, call), { timeout: 60_000 })
    .toEqual({ kind: 'Postponed', isRefused: true, message: expect.stringContaining('exceeded quota') })
  await client.delete(quotas, full, 'none')
  await expect.poll(() => jobs.create(wanted, call), { timeout: 60_000 }).toMatchObject({ kind: 'Created' })
})
