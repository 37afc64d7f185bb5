/**
 * The slice on the real node: the built image, the chart in a namespace that enforces the restricted Pod Security Standard, the
 * quickstart as a person applies it. What ran is counted by the handlers' own store.
 */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { run } from '../../hack/cluster/command.ts'
import { followBurst } from '../../hack/demo/follow.ts'
import { emptyState } from '../../hack/demo/state.ts'
import { installRelease } from '../../hack/release.ts'

const namespace = 'quickstart'
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const send = (object: unknown, ...args: string[]): Promise<string> =>
  run('kubectl', [...args, '-f', '-'], { env: cluster.env, input: JSON.stringify(object) })
const inNamespace = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args)

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('apply', '-k', 'examples/quickstart')
  await inNamespace('wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
  await inNamespace('rollout', 'status', 'deployment/site', '--timeout=120s')
  await asleep()
})

const asleep = (): Promise<string> =>
  inNamespace('wait', '--for=jsonpath={.status.reason}=ScaledToZero', 'workerpool/quickstart', '--timeout=120s')
const replicas = async (): Promise<number> =>
  Number(await inNamespace('get', 'deployment', 'quickstart', '-o', 'jsonpath={.spec.replicas}'))

/** The quickstart's burst with other numbers. */
async function startBurst(jobs: number, delayed: number, delaySeconds: number): Promise<string> {
  const job = parse(readFileSync('examples/quickstart/burst.yaml', 'utf8')) as {
    spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } }
  }
  const numbers: Record<string, number> = { JOBS: jobs, DELAYED: delayed, DELAY_SECONDS: delaySeconds }
  for (const variable of job.spec.template.spec.containers[0]?.env ?? []) {
    const number = numbers[variable.name]
    if (number !== undefined) variable.value = String(number)
  }
  return (await send(job, 'create', '-o', 'name')).trim()
}

describe('a burst on real pods', () => {
  it('takes the pool from zero to maxReplicas and back, each job done once', async () => {
    const state = emptyState(Date.now())
    let highest = 0
    const burst = await startBurst(1500, 20, 1)
    const followed = followBurst(burst, state, { env: cluster.env, onChange: () => undefined })
    const scaled = inNamespace('wait', '--for=jsonpath={.spec.replicas}=6', 'deployment/quickstart', '--timeout=60s')
    await scaled
    highest = await replicas()
    const columns = await inNamespace('get', 'workerpools')
    expect(columns).toMatch(/^NAME +READY +DESIRED +BUSY +BACKLOG +OLDEST +MODE +REASON +AGE\nquickstart +\d\/6 +6 +\d+\/\d+ +\d+ /u)
    await followed
    expect(state.tally).toEqual({ added: 1520, done: 1520, missing: 0, twice: 0 })
    expect(highest).toBe(6)
    await asleep()
    expect(await replicas()).toBe(0)
    await inNamespace('wait', '--for=delete', 'pod', '-l', 'taskmill.dev/pool=quickstart', '--timeout=60s')
    const description = await inNamespace('describe', 'workerpool', 'quickstart')
    expect(description).toMatch(/Decision: +0 replicas: no jobs\. The next job starts a pod\./u)
    expect(description).toMatch(/ScaledUp .* 0 -> \d: .* jobs? \(/u)
  })

  it('wakes for delayed jobs that fall due while no pod runs', async () => {
    const state = emptyState(Date.now())
    const burst = await startBurst(0, 8, 3)
    await followBurst(burst, state, { env: cluster.env, onChange: () => undefined })
    expect(state.tally).toEqual({ added: 8, done: 8, missing: 0, twice: 0 })
    await asleep()
  })

  it('survives the operator and a worker being killed in the middle', async () => {
    const state = emptyState(Date.now())
    const burst = await startBurst(1500, 0, 0)
    const followed = followBurst(burst, state, { env: cluster.env, onChange: () => undefined })
    await inNamespace('wait', '--for=jsonpath={.status.readyReplicas}=6', 'workerpool/quickstart', '--timeout=60s')
    const now = ['--grace-period=0', '--force', '--wait=false']
    await kubectl('-n', 'taskmill-system', 'delete', 'pod', '-l', 'app.kubernetes.io/component=operator', ...now)
    await inNamespace('delete', 'pod', '-l', 'taskmill.dev/pool=quickstart', '--wait=false')
    await followed
    expect(state.tally).toMatchObject({ added: 1500, done: 1500, missing: 0 })
    await asleep()
  })
})

describe('commands of users', () => {
  it('kubectl explain has a text for every field asked for', async () => {
    for (const path of [
      'workerpool',
      'workerpool.spec.scaling.behavior',
      'wp.spec.drainTimeoutSeconds',
      'tmb.spec.standalone.address',
      'tsch.spec.missedRuns',
    ]) {
      const text = await kubectl('explain', path)
      expect(text).toMatch(/DESCRIPTION:\n +\S/u)
    }
  })

  it('the category shows everything of Taskmill', async () => {
    const all = await inNamespace('get', 'taskmill')
    expect(all).toMatch(/^taskbroker\.taskmill\.dev\/default +True +\d+\.\d+\.\d+ +\S+ +noeviction +Active /mu)
    expect(all).toMatch(/^workerpool\.taskmill\.dev\/quickstart /mu)
  })

  it('a manifest that is wrong is refused with the field and the rule', async () => {
    const pool = {
      apiVersion: 'taskmill.dev/v1alpha1',
      kind: 'WorkerPool',
      metadata: { name: 'wrong', namespace },
      spec: { queues: [{ name: 'a' }], scaling: { minReplicas: 9, maxReplicas: 3 }, template: { spec: { containers: [{ name: 'w' }] } } },
    }
    await expect(send(pool, 'apply')).rejects.toThrow(
      /spec\.scaling\.minReplicas: Invalid value: .*minReplicas must not exceed maxReplicas/u,
    )
  })
})

describe('the chart', () => {
  it('refuses a wrong value by its name', async () => {
    await expect(installRelease(cluster, ['--set', 'operator.replicas=lots'])).rejects.toThrow(/operator\/replicas|operator\.replicas/u)
    await expect(installRelease(cluster, ['--set', 'operator.replica=2'])).rejects.toThrow(/replica/u)
  })

  it('serves its metrics', async () => {
    const leader = await kubectl('-n', 'taskmill-system', 'get', 'lease/taskmill-operator', '-o', 'jsonpath={.spec.holderIdentity}')
    const metrics = await kubectl('get', '--raw', `/api/v1/namespaces/taskmill-system/pods/${leader}:8080/proxy/metrics`)
    expect(metrics).toMatch(/^taskmill_pool_desired_replicas\{namespace="quickstart",pool="quickstart"\} 0$/mu)
    expect(metrics).toMatch(/^taskmill_queue_jobs\{namespace="quickstart",broker="default",queue="hash",state="waiting"\} 0$/mu)
    expect(metrics).toMatch(/^leader_election_master_status\{name="taskmill-operator"\} 1$/mu)
  })
})
