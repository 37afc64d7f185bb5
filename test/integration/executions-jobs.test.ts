/** Runs whose nodes are Kubernetes Jobs, on a real API server with a real Job controller; the tests play the kubelet. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Job, jobs, pods, type TaskExecution, taskExecutions } from '../../src/api/index.ts'
import { isAcknowledged } from '../../src/workloads/index.ts'
import { observe } from '../support/cluster-client.ts'
import { endPods, observeJob, runningPods, tellPod } from '../support/job-pods.ts'
import { createBroker, createDependency, createExecution } from '../support/manifests.ts'
import { conditionOf, ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('executions-jobs', { others: ['full'] })
  await home.kubectl('label', 'namespace', home.namespace, 'pod-security.kubernetes.io/warn=restricted')
})

afterAll(() => home?.stop())

const jobOf = (container: object = {}, spec: object = {}, pod: object = {}) => ({
  spec: {
    backoffLimit: 0,
    ...spec,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'acme:1', ...container }], ...pod } },
  },
})
const at = (name: string) => ({ namespace: home.namespace, name })
/** The name of the Job of a node, once the status tells it. */
async function jobIn(run: string, node = 'job'): Promise<string> {
  const nameOf = ({ status }: TaskExecution) => status?.nodes?.find(({ name }) => name === node)?.job
  return nameOf(await home.execution(run, (each) => nameOf(each) !== undefined))!
}
const nodeOf = ({ status }: TaskExecution, node = 'job') => status?.nodes?.find(({ name }) => name === node)
const podsOf = async (job: string) =>
  (await home.client.list(pods, { namespace: home.namespace, labelSelector: `batch.kubernetes.io/job-name=${job}` })).items
const logOf = async (run: string): Promise<readonly { readonly kind: string }[]> =>
  (await home.commands.lrange(`bull:.taskmill:run:default/${home.namespace}/run/${run}`, 0, -1)).map(
    (entry) => JSON.parse(entry) as { kind: string },
  )

describe('a run of a Job', () => {
  it('succeeds with it; the Job belongs to the run, says what it is for, and may go once its end is recorded', async () => {
    const job = { ...jobOf({ args: ['--at=$(slot)', '$$(HOME)'] }), metadata: { labels: { team: 'mail' } } }
    const created = await home.execute('one', { job, slotTime: '2026-11-29T01:00:00Z' })
    const name = await jobIn('one')
    const running = await observeJob(home.client, at(name), (each) => each !== undefined)
    expect(running?.metadata).toMatchObject({
      labels: { team: 'mail', 'taskmill.dev/started-by': 'TaskExecution', 'taskmill.dev/execution': 'one', 'taskmill.dev/node': 'job' },
      ownerReferences: [{ kind: 'TaskExecution', name: 'one', uid: created.metadata.uid, controller: true }],
    })
    expect(running?.spec.ttlSecondsAfterFinished).toBeUndefined()
    const [pod] = await runningPods(home.client, at(name))
    expect(pod?.metadata.labels).toMatchObject({ 'taskmill.dev/execution': 'one' })
    expect(pod?.spec['containers']).toMatchObject([
      { args: ['--at=2026-11-29T01:00:00Z', '$(HOME)'], terminationMessagePolicy: 'FallbackToLogsOnError' },
    ])
    await endPods(home.client, at(name), { exitCode: 0 })
    await home.kubectl('wait', '--for=condition=Succeeded', 'tex/one', '--timeout=60s')
    const run = await home.execution('one', ended)
    expect(run.status).toMatchObject({ state: 'Succeeded', source: 'job', attempts: 1, progress: '1/1' })
    expect(nodeOf(run)).toMatchObject({ state: 'Succeeded', attempt: 1, job: name, reason: 'Succeeded' })
    const done = await observeJob(home.client, at(name), (each) => each !== undefined && isAcknowledged(each))
    expect(done?.spec.ttlSecondsAfterFinished).toBe(86_400)
    expect((await logOf('one')).map(({ kind }) => kind)).toEqual(['Begun', 'Started', 'Placed', 'Ended', 'Finished'])
    await expect(
      home.kubectl('patch', 'tex', 'one', '--type=merge', '-p', '{"spec":{"job":null,"task":{"type":"t","queue":"q"}}}'),
    ).rejects.toThrow('a run that has started cannot be changed')
  })

  it('fails with the exit code and the last words of the last pod', async () => {
    await home.execute('bad', { job: jobOf({}, { backoffLimit: 1 }) })
    const name = await jobIn('bad')
    await endPods(home.client, at(name), { exitCode: 1, message: 'no route to host' })
    await endPods(home.client, at(name), { exitCode: 137, reason: 'OOMKilled' })
    const run = await home.execution('bad', (each) => conditionOf(each, 'Stalled')?.reason === 'Failed')
    const words = "container main: OOMKilled, exit code 137. Next: raise the container's limits.memory; Job has reached"
    expect(run.status).toMatchObject({ state: 'Failed', attempts: 2, progress: '1/1, 1 failed' })
    expect(run.status?.failureMessage).toMatch(/^job: BackoffLimitExceeded, pod /u)
    expect(run.status?.failureMessage).toContain(words)
    const all = await podsOf(name)
    expect(all.map(({ metadata }) => metadata.name)).toContain(nodeOf(run)?.worker)
    await expect
      .poll(() => home.eventsOf('bad', 'NodeFailed').then((found) => found.map((event) => event.note)), { timeout: 20_000 })
      .toEqual([expect.stringMatching(/^job: BackoffLimitExceeded, 2 attempts: pod .*OOMKilled/u)])
    const done = await observeJob(home.client, at(name), (each) => each !== undefined && isAcknowledged(each))
    expect(done?.spec.ttlSecondsAfterFinished).toBe(604_800)
  })

  it('is DeadlineExceeded by its own deadline, which is a failure', async () => {
    await home.execute('late', { job: jobOf({}, { activeDeadlineSeconds: 1 }) })
    const run = await home.execution('late', ended)
    expect(run.status).toMatchObject({ state: 'Failed', nodes: [{ reason: 'DeadlineExceeded' }] })
  })

  it('is refused for good in the words of the API server', async () => {
    await home.execute('typo', { job: jobOf({ imagePullPolice: 'Always' }) })
    const run = await home.execution('typo', ended)
    const message = conditionOf(run, 'Stalled')?.message
    expect(message).toMatch(
      /^job: TemplateInvalid, .*spec\.job\.spec\.template\.spec\.containers\[0\]\.imagePullPolice: there is no such field\. Next: correct the name spec\.job\./u,
    )
    expect(nodeOf(run)).toMatchObject({ state: 'Failed', reason: 'TemplateInvalid' })
  })

  it('says while it runs what keeps its pod from starting', async () => {
    await home.execute('stuck', { job: jobOf() })
    const name = await jobIn('stuck')
    const [pod] = await runningPods(home.client, at(name))
    const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image "acme:1"' }
    const containerStatuses = [{ name: 'main', image: 'acme:1', imageID: '', ready: false, restartCount: 0, state: { waiting } }]
    await tellPod(home.client, pod!, { phase: 'Pending', containerStatuses })
    const run = await home.execution('stuck', ({ status }) => status?.waitingFor?.includes('ImagePullBackOff') === true)
    expect(run.status?.waitingFor).toBe('job failing (ImagePullBackOff)')
    expect(nodeOf(run)?.message).toContain(`Job "${name}": pod ${pod!.metadata.name}, container main: ImagePullBackOff: Back-off`)
    expect(nodeOf(run)?.message).toContain('Next: correct the image')
    expect(conditionOf(run, 'Blocked')).toMatchObject({ status: 'True', reason: 'PodFailing' })
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ reason: 'Running', message: expect.stringContaining(nodeOf(run)!.message!) })
  })

  it('is cancelled: the Job goes with its pods', async () => {
    await home.execute('cancel', { job: jobOf() })
    const name = await jobIn('cancel')
    await runningPods(home.client, at(name))
    await home.kubectl('patch', 'tex', 'cancel', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    const run = await home.execution('cancel', ended)
    expect(run.status).toMatchObject({ state: 'Cancelled', nodes: [{ state: 'Cancelled', reason: 'RunCancelled' }] })
    await observeJob(home.client, at(name), (each) => each === undefined)
    await expect.poll(() => podsOf(name), { timeout: 60_000 }).toEqual([])
  })

  it('is deleted with its run, also when the run is deleted without its dependents', async () => {
    await Promise.all(['gone', 'orphan'].map((name) => home.execute(name, { job: jobOf() })))
    const [gone, orphan] = await Promise.all([jobIn('gone'), jobIn('orphan')])
    await home.kubectl('delete', 'tex', 'gone')
    await home.kubectl('delete', 'tex', 'orphan', '--cascade=orphan')
    await observeJob(home.client, at(gone), (each) => each === undefined)
    await observeJob(home.client, at(orphan), (each) => each === undefined)
  })

  it('whose Job a user deletes has failed, and is not started again', async () => {
    await home.execute('removed', { job: jobOf() })
    const name = await jobIn('removed')
    const first = await observeJob(home.client, at(name), (each) => each !== undefined)
    await home.client.delete(jobs, home.namespace, name, { propagationPolicy: 'Background' })
    const run = await home.execution('removed', ended)
    expect(nodeOf(run)).toMatchObject({
      state: 'Failed',
      reason: 'JobRemoved',
      message: expect.stringContaining(`deleted its Job "${name}"`),
    })
    expect(first).toBeDefined()
    await expect(home.client.get(jobs, home.namespace, name)).rejects.toThrow('not found')
  })
})

describe('a quota', () => {
  it('postpones the Job, with a condition, and delays no other run; once it is gone the run continues by itself', async () => {
    const { client } = home
    const [namespace = ''] = home.others
    const quotas = { group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true }
    const quota = { metadata: { namespace, name: 'none' }, spec: { hard: { 'count/jobs.batch': '0' } } }
    await client.create(quotas, quota, { fieldManager: 'test' })
    // It counts once its controller has seen it.
    await observe(
      client,
      quotas,
      { namespace, name: 'none' },
      (each) => each !== undefined && 'hard' in (each as { status?: object }).status!,
    )
    await createBroker(client, namespace, home.redis.address)
    home.consume('free', async () => undefined)
    const nodes = [
      { name: 'blocked', job: jobOf() },
      { name: 'free', task: { type: 'work', queue: 'free' } },
    ]
    await createDependency(client, namespace, 'g', { nodes })
    for (const name of ['waits', 'given-up']) await createExecution(client, namespace, name, { dependencyRef: { name: 'g' } })
    const seen = (name: string, holds: (run: TaskExecution) => boolean) =>
      observe(client, taskExecutions, { namespace, name }, (each) => each !== undefined && holds(each))
    const run = await seen('waits', (each) => nodeOf(each, 'free')?.state === 'Succeeded' && /2 tries/u.test(each.status?.waitingFor ?? ''))
    expect(run?.status?.waitingFor).toBe('blocked not created (2 tries)')
    expect(nodeOf(run!, 'blocked')).toMatchObject({ state: 'Running', message: expect.stringContaining('exceeded quota: none') })
    expect(conditionOf(run!, 'Succeeded')?.message).toContain('exceeded quota: none')
    await home.kubectl('-n', namespace, 'patch', 'tex', 'given-up', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    expect((await seen('given-up', ended))?.status).toMatchObject({ state: 'Cancelled' })
    await client.delete(quotas, namespace, 'none')
    const going = await seen('waits', (each) => each.status?.waitingFor?.includes('blocked starting') === true)
    await endPods(client, { namespace, name: nodeOf(going!, 'blocked')!.job! }, { exitCode: 0 })
    expect((await seen('waits', ended))?.status).toMatchObject({ state: 'Succeeded', progress: '2/2' })
  })
})

describe('a graph of tasks and Jobs', () => {
  it('goes from one to the other, and what is stopped by a failure is omitted', async () => {
    const consumer = home.consume('mixed', async () => ({ items: 3 }))
    const task = { type: 'work', queue: 'mixed' }
    const count = { name: 'COUNT', value: '$(nodes.list.result.items) of $(parameters.most)' }
    await home.graph('mixed', {
      parameters: { most: 5 },
      nodes: [
        { name: 'list', task },
        { name: 'build', dependsOn: [{ name: 'list' }], job: jobOf({ env: [count] }) },
        { name: 'send', dependsOn: [{ name: 'build' }], task },
        { name: 'undo', dependsOn: [{ name: 'build', condition: 'Failed' }], job: jobOf() },
      ],
      finally: [{ name: 'tidy', job: jobOf({ args: ['$(run.outcome)'] }) }],
    })
    const graph = await home.dependency('mixed', (each) => conditionOf(each, 'Ready')?.status === 'True')
    // A warning delays nothing.
    expect(conditionOf(graph, 'Ready')?.message).toMatch(
      /^5 nodes, 3 dependencies\. The API server warns: node build: would violate PodSecurity/u,
    )
    await home.execute('mixed', { dependencyRef: { name: 'mixed' } })
    const build = await jobIn('mixed', 'build')
    const [pod] = await runningPods(home.client, at(build))
    expect(pod?.spec['containers']).toMatchObject([{ env: [{ name: 'COUNT', value: '3 of 5' }] }])
    await endPods(home.client, at(build), { exitCode: 0 })
    const tidy = await jobIn('mixed', 'tidy')
    const [last] = await runningPods(home.client, at(tidy))
    expect(last?.spec['containers']).toMatchObject([{ args: ['Succeeded'] }])
    await endPods(home.client, at(tidy), { exitCode: 0 })
    const run = await home.execution('mixed', ended)
    expect(nodesOf(run)).toEqual(['list Succeeded', 'build Succeeded', 'send Succeeded', 'undo Omitted', 'tidy Succeeded'])
    expect(consumer.runs).toHaveLength(2)
    const { items } = await home.client.list<Job>(jobs, { namespace: home.namespace, labelSelector: 'taskmill.dev/execution=mixed' })
    expect(new Set(items.map(({ metadata }) => metadata.labels?.['taskmill.dev/node']))).toEqual(new Set(['build', 'tidy']))
    expect(items).toHaveLength(2)
  })

  it('has its Jobs stopped when the time of a node is over', async () => {
    await home.graph('slow', { nodes: [{ name: 'slow', timeoutSeconds: 1, job: jobOf() }] })
    await home.execute('slow', { dependencyRef: { name: 'slow' } })
    const run = await home.execution('slow', ended)
    expect(run.status).toMatchObject({ state: 'Failed', nodes: [{ state: 'TimedOut', reason: 'TimeoutExceeded' }] })
    await expect
      .poll(
        () =>
          home.client.list(jobs, { namespace: home.namespace, labelSelector: 'taskmill.dev/execution=slow' }).then(({ items }) => items),
        {
          timeout: 60_000,
        },
      )
      .toEqual([])
  })

  it('is Stalled where the API server would refuse a Job', async () => {
    await home.graph('refused', { nodes: [{ name: 'a', job: jobOf({ volumeMounts: [{ name: 'none', mountPath: '/x' }] }) }] })
    const graph = await home.dependency('refused', (each) => conditionOf(each, 'Stalled') !== undefined)
    expect(conditionOf(graph, 'Stalled')).toEqual({
      status: 'True',
      reason: 'TemplateInvalid',
      message: expect.stringMatching(
        /^spec\.nodes\[0\]\.job\.spec\..*volumeMounts\[0\]\.name: Not found: "none"\. Next: correct spec\.nodes\[0\]\.job\.spec\./u,
      ),
    })
  })
})

describe('a Job that comes late', () => {
  it('is deleted when its node is final', async () => {
    await home.execute('late-job', { job: jobOf() })
    const name = await jobIn('late-job')
    const first = await observeJob(home.client, at(name), (each) => each !== undefined)
    await home.kubectl('patch', 'tex', 'late-job', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    await home.execution('late-job', ended)
    await observeJob(home.client, at(name), (each) => each === undefined)
    // As one would send it who was frozen in the middle of its creation.
    const { labels, annotations, ownerReferences } = first!.metadata
    const late = {
      metadata: { ...at(name), labels: labels!, annotations: annotations!, ownerReferences: ownerReferences! },
      spec: jobOf().spec,
    }
    await home.client.create(jobs, late as never, { fieldManager: 'test' })
    await observeJob(home.client, at(name), (each) => each === undefined)
    await expect.poll(() => podsOf(name), { timeout: 60_000 }).toEqual([])
  })
})

describe('while no operator runs', () => {
  it('ended Jobs are recorded later, deleted Jobs are not created anew, and orphaned Jobs are deleted', async () => {
    await Promise.all(['ends', 'removed-unseen', 'orphaned'].map((name) => home.execute(name, { job: jobOf() })))
    const [ends, removed, orphaned] = await Promise.all([jobIn('ends'), jobIn('removed-unseen'), jobIn('orphaned')])
    await Promise.all([ends, removed, orphaned].map((name) => runningPods(home.client, at(name))))
    await home.operator.stop()
    await endPods(home.client, at(ends), { exitCode: 0 })
    await home.client.delete(jobs, home.namespace, removed, { propagationPolicy: 'Background' })
    await home.kubectl('delete', 'tex', 'orphaned', '--cascade=orphan')
    home.startOperator()
    expect((await home.execution('ends', ended)).status).toMatchObject({ state: 'Succeeded' })
    expect(nodeOf(await home.execution('removed-unseen', ended))).toMatchObject({ state: 'Failed', reason: 'JobRemoved' })
    await observeJob(home.client, at(orphaned), (each) => each === undefined)
    await expect(home.client.get(jobs, home.namespace, removed)).rejects.toThrow('not found')
  })
})

it('kubectl create makes up a name, and the Job has one of its own', async () => {
  const object = {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskExecution',
    metadata: { namespace: home.namespace, generateName: 'made-' },
    spec: { job: jobOf() },
  }
  const created = await home.client.create(taskExecutions, object as never, { fieldManager: 'test' })
  const name = await jobIn(created.metadata.name)
  expect(name).toMatch(new RegExp(`^${created.metadata.name}-job-[0-9a-f]{8}$`, 'u'))
})
