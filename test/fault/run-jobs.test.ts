/**
 * The operator is killed between any two statements that matter for the Kubernetes Jobs of a run, once at every point, and started again; each
 * time every node has exactly one Job, and its end is recorded before the Job may go. The Jobs and their pods are those of a real Job
 * controller; the test plays the kubelet.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { type Job, jobs, taskExecutions } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type Informer } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { endOfJob, isAcknowledged } from '../../src/workloads/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { endPods } from '../support/job-pods.ts'
import { createBroker, createDependency, createExecution } from '../support/manifests.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'

/** So many worlds at once, each with an operator of its own. */
const atOnce = 4
let cluster: TestCluster
let redis: RedisServer
let client: TestCluster['client']
let cache: Informer<Job>
const stop = new AbortController()
const operators: OperatorProcess[] = []
/** UIDs of all Jobs that there ever were, by namespace, run and node. */
const created = new Map<string, Set<string>>()
/** Jobs that were seen with a TTL, or gone, before their end had been recorded in the run's log. */
const early: string[] = []

beforeAll(async () => {
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  ;({ client } = cluster)
  cache = createInformer<Job>({ client, resource: jobs, clock: systemClock, log: silentLogger, rng: Math.random })
  cache.onChange((_, job) => {
    if (job === undefined || !cluster.owns(job.metadata.namespace ?? '')) return
    const { namespace = '', uid = '', labels = {} } = job.metadata
    const key = `${namespace}/${labels['taskmill.dev/execution']}/${labels['taskmill.dev/node']}`
    created.set(key, (created.get(key) ?? new Set<string>()).add(uid))
    if (job.spec.ttlSecondsAfterFinished !== undefined && !isAcknowledged(job)) early.push(key)
  })
  cache.start(stop.signal)
  await cache.synced
})

afterAll(async () => {
  stop.abort()
  await Promise.allSettled(operators.map((operator) => operator.kill()))
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

function launch(namespace: string, killAt = '', { identity = 'operator-0', signal = 'SIGKILL' } = {}): OperatorProcess {
  const operator = startOperator({
    cluster,
    identity,
    namespaces: [namespace],
    env: { KILL_AT: killAt, KILL_SIGNAL: signal },
  })
  operators.push(operator)
  return operator
}

const job = { spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none:1' }] } } } }
const finalOf = (namespace: string, name: string) =>
  observe(client, taskExecutions, { namespace, name }, (run) => run?.status?.finishTime !== undefined)

/** The name of a node's Job, once it is there. */
async function jobOf(namespace: string, run: string, node: string): Promise<string> {
  const find = () =>
    cache
      .list(namespace)
      .find(({ metadata: { labels = {} } }) => labels['taskmill.dev/execution'] === run && labels['taskmill.dev/node'] === node)
  return new Promise((resolve) => {
    const look = () => {
      const found = find()
      if (found === undefined) return
      end()
      resolve(found.metadata.name)
    }
    const end = cache.onChange(look)
    look()
  })
}

/** All that can befall Jobs of a run: one after the other, a failure, a cancellation, a deletion. Resolves with what went wrong. */
async function live(namespace: string): Promise<readonly string[]> {
  await createBroker(client, namespace, redis.address)
  const nodes = [
    { name: 'a', job },
    { name: 'b', dependsOn: [{ name: 'a' }], job },
  ]
  await createDependency(client, namespace, 'chain', { nodes, finally: [{ name: 'z', job }] })
  await Promise.all(
    ['done', 'stopped', 'deleted'].map((name) => createExecution(client, namespace, name, { dependencyRef: { name: 'chain' } })),
  )
  const finish = async (run: string, node: string, exitCode: number) =>
    endPods(client, { namespace, name: await jobOf(namespace, run, node) }, { exitCode })
  await Promise.all(['done', 'stopped', 'deleted'].map((run) => finish(run, 'a', 0)))
  await Promise.all(['done', 'stopped', 'deleted'].map((run) => jobOf(namespace, run, 'b')))
  await client.apply(
    taskExecutions,
    { metadata: { namespace, name: 'stopped' }, spec: { desiredState: 'Cancelled', dependencyRef: { name: 'chain' } } },
    { fieldManager: 'test', force: true },
  )
  await client.delete(taskExecutions, namespace, 'deleted')
  await Promise.all([finish('done', 'b', 1), finish('stopped', 'z', 0)])
  await finish('done', 'z', 0)
  const [done, stopped] = await Promise.all(['done', 'stopped'].map((name) => finalOf(namespace, name)))
  const states = [done, stopped].map((run) => run?.status?.nodes?.map(({ name, state }) => `${name} ${state}`).join(', '))
  const wanted = ['a Succeeded, b Failed, z Succeeded', 'a Succeeded, b Cancelled, z Succeeded']
  await expect.poll(() => unsettled(namespace), { timeout: 120_000, interval: 100 }).toEqual([])
  const doubled = [...created]
    .filter(([key, uids]) => key.startsWith(`${namespace}/`) && uids.size > 1)
    .map(([key]) => `${key} has had two Jobs`)
  return [...states.flatMap((state, index) => (state === wanted[index] ? [] : [`${state} instead of ${wanted[index]}`])), ...doubled]
}

/** What is not as it should be in the end: a Job that runs, one that stays for ever, one of a run that is deleted. */
function unsettled(namespace: string): readonly string[] {
  return cache.list(namespace).flatMap((each) => {
    const { name, labels = {} } = each.metadata
    if (labels['taskmill.dev/execution'] === 'deleted') return [`${name} is of a run that is gone`]
    if (endOfJob(each) === undefined) return [`${name} runs`]
    return isAcknowledged(each) ? [] : [`${name} stays for ever`]
  })
}

const declared = ['create job', 'delete job', 'acknowledge job', 'append placed'].flatMap((what) => [`before ${what}`, `after ${what}`])

it('killed at every point, and started again: every node has one Job, and all comes to its end', { timeout: 600_000 }, async () => {
  const alive = await cluster.createNamespace('alive')
  const calm = launch(alive)
  expect(await live(alive)).toEqual([])
  await calm.stop()
  const reached = new Set(calm.lines.filter(({ msg }) => msg === 'point').map(({ point }) => String(point)))
  expect(declared.filter((point) => !reached.has(point))).toEqual([])

  const outcomes: Record<string, readonly string[]> = {}
  async function run(point: string): Promise<void> {
    const namespace = await cluster.createNamespace(`killed-${point.replaceAll(' ', '-')}`)
    const operator = launch(namespace, `${point}#1`)
    let again: OperatorProcess | undefined
    const restarted = operator.exited.then(() => (again = launch(namespace)))
    const wrong = await live(namespace).catch((error: unknown) => [String(error)])
    // The last points come after what is waited for.
    await Promise.race([operator.exited, sleep(60_000, undefined, { ref: false })])
    const struck = operator.lines.some(({ msg }) => msg === 'struck')
    await operator.kill()
    await restarted
    await again?.stop()
    outcomes[point] = struck ? wrong : [...wrong, 'never reached']
  }
  const left = [...declared]
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await run(next)
    }),
  )
  expect(Object.fromEntries(Object.entries(outcomes).filter(([, wrong]) => wrong.length > 0))).toEqual({})
  expect(early).toEqual([])
})

it(
  'frozen before it creates a Job, and woken when another has led a run to its end: nothing is created any more',
  { timeout: 300_000 },
  async () => {
    const namespace = await cluster.createNamespace('frozen')
    await createBroker(client, namespace, redis.address)
    const frozen = launch(namespace, 'before create job', { signal: 'SIGSTOP' })
    await createExecution(client, namespace, 'x', { job })
    await frozen.logged('struck')
    const other = launch(namespace, '', { identity: 'operator-1' })
    await endPods(client, { namespace, name: await jobOf(namespace, 'x', 'job') }, { exitCode: 0 })
    const run = await finalOf(namespace, 'x')
    expect(run?.status).toMatchObject({ state: 'Succeeded' })
    const [first] = cache.list(namespace)
    // A user who deletes it now leaves the name free.
    await client.delete(jobs, namespace, first?.metadata.name ?? '', { propagationPolicy: 'Background' })
    await expect.poll(() => cache.list(namespace), { timeout: 60_000 }).toEqual([])
    frozen.signal('SIGCONT')
    await frozen.logged('all that acted has ended, following again')
    expect([...created].filter(([key]) => key.startsWith(`${namespace}/`)).map(([, uids]) => uids.size)).toEqual([1])
    await Promise.all([frozen.kill(), other.stop()])
  },
)
