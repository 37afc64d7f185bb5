/**
 * The chart's two modes on the real node, in a namespace that enforces the restricted Pod Security Standard, and the upgrades between
 * them. Ends in the mode that the other suites use.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { run } from '../../hack/cluster/command.ts'
import { installRelease, release } from '../../hack/release.ts'

const elsewhere = 'chart-modes'
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const inSystem = (...args: string[]): Promise<string> => kubectl('-n', release.namespace, ...args)
const apply = (namespace: string, object: object): Promise<string> =>
  run('kubectl', ['-n', namespace, 'apply', '-f', '-'], { env: cluster.env, input: JSON.stringify(object) })

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('apply', '-k', 'examples/quickstart')
  await apply('', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: elsewhere } })
  await kubectl('-n', 'quickstart', 'wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
})

afterAll(async () => {
  await kubectl('-n', 'quickstart', 'delete', 'workerpools', '-l', `test=${elsewhere}`)
  await kubectl('delete', 'namespace', elsewhere)
})

const createPool = (namespace: string, name: string): Promise<string> =>
  apply(namespace, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: { name, labels: { test: elsewhere } },
    spec: { queues: [{ name }], template: { spec: { containers: [{ name: 'worker', image: 'localhost/taskmill:dev' }] } } },
  })

/** The operator has looked at the pool and written what it thinks of it. */
const judged = (namespace: string, name: string, reason: string): Promise<string> =>
  kubectl('-n', namespace, 'wait', `--for=jsonpath={.status.reason}=${reason}`, `workerpool/${name}`, '--timeout=60s')

const leader = (): Promise<string> => inSystem('get', 'lease/taskmill-operator', '-o', 'jsonpath={.spec.holderIdentity}')

/** `kind/name` of the operator's roles, with their namespace. */
async function roles(): Promise<readonly string[]> {
  const columns = 'custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name'
  const component = ['-l', 'app.kubernetes.io/component=operator', '--no-headers', '-o', columns]
  const printed = await kubectl('get', 'clusterroles,roles', '-A', ...component)
  return printed
    .trim()
    .split('\n')
    .map((line) => line.replaceAll(/ +/gu, ' ').replace('taskmill-operator-', ''))
    .toSorted()
}

describe('for the whole cluster', () => {
  it('has two ready replicas, one of which leads', async () => {
    await inSystem('wait', '--for=jsonpath={.status.readyReplicas}=2', 'deployment/taskmill-operator', '--timeout=60s')
    const pods = await inSystem('get', 'pods', '-l', 'app.kubernetes.io/component=operator', '-o', 'name')
    expect(pods).toContain(`pod/${await leader()}\n`)
    expect(await roles()).toEqual([
      'ClusterRole <none> events',
      'ClusterRole <none> identity',
      'ClusterRole <none> task-alert',
      'ClusterRole <none> task-broker',
      'ClusterRole <none> task-dependency',
      'ClusterRole <none> task-execution',
      'ClusterRole <none> task-queue',
      'ClusterRole <none> task-schedule',
      'ClusterRole <none> worker-pool',
      'Role taskmill-system leader-election',
    ])
  })

  it('continues with another leader when the leader is killed', async () => {
    const killed = await leader()
    await inSystem('delete', 'pod', killed, '--grace-period=0', '--force', '--wait=false')
    // The API server forgets the pod at once; its process may lead for a moment longer, and would judge the pool itself.
    await expect.poll(leader, { timeout: 60_000 }).not.toBe(killed)
    await createPool('quickstart', 'after-the-leader')
    await judged('quickstart', 'after-the-leader', 'ScaledToZero')
    await inSystem('wait', '--for=jsonpath={.status.readyReplicas}=2', 'deployment/taskmill-operator', '--timeout=60s')
  })
})

describe('for one namespace', () => {
  it('works there with Roles only, and not elsewhere', async () => {
    await installRelease(cluster, ['--set', 'operator.watchNamespaces={quickstart}'])
    expect(await roles()).toEqual([
      'Role quickstart events',
      'Role quickstart task-alert',
      'Role quickstart task-broker',
      'Role quickstart task-dependency',
      'Role quickstart task-execution',
      'Role quickstart task-queue',
      'Role quickstart task-schedule',
      'Role quickstart worker-pool',
      'Role taskmill-system identity',
      'Role taskmill-system leader-election',
    ])
    await createPool(elsewhere, 'not-watched')
    await createPool('quickstart', 'watched')
    await judged('quickstart', 'watched', 'ScaledToZero')
    const generation = ['-o', 'jsonpath={.status.observedGeneration}']
    expect(await kubectl('-n', elsewhere, 'get', 'workerpool/not-watched', ...generation)).toBe('-1')
  })
})

describe('for the whole cluster again', () => {
  it('comes to what was waiting', async () => {
    await installRelease(cluster)
    await judged(elsewhere, 'not-watched', 'BrokerNotFound')
    expect(await roles()).toContain('ClusterRole <none> worker-pool')
  })
})
