/**
 * Last of the suite: what the operator asked the API server for during the whole run, by the server's own audit log, is what its roles
 * grant, no less and no more. What happens rarely is made to happen here.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { run } from '../../hack/cluster/command.ts'
import { installRelease, release } from '../../hack/release.ts'
import { type Right, rightsOfRoles, rightsUsed } from './rights.ts'

const namespace = 'quickstart'
/** Another one in each run: Events outlive what they are about. */
const pool = `brokerless-${Date.now().toString(36)}`
const operator = `system:serviceaccount:${release.namespace}:taskmill-operator`
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const inNamespace = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args)
const create = (object: object): Promise<string> =>
  run('kubectl', ['-n', namespace, 'apply', '-f', '-'], { env: cluster.env, input: JSON.stringify(object) })

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('apply', '-f', 'examples/quickstart/namespace.yaml')
})

afterAll(() => inNamespace('delete', '--ignore-not-found', `workerpool/${pool}`, `taskqueue/${pool}-queue`, 'taskbroker/brief'))

it('the same Event twice is one object, with a series', async () => {
  const address = `taskmill-redis.${release.namespace}.svc:6379`
  const template = { spec: { containers: [{ name: 'worker', image: 'localhost/taskmill:dev' }] } }
  const waitFor = (reason: string) =>
    inNamespace('wait', `--for=jsonpath={.status.reason}=${reason}`, `workerpool/${pool}`, '--timeout=60s')
  const broker = { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskBroker', metadata: { name: 'brief' }, spec: { standalone: { address } } }
  await create({
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: { name: pool },
    spec: { brokerRef: { name: 'brief' }, queues: [{ name: 'none' }], template },
  })
  await waitFor('BrokerNotFound')
  await create({
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskQueue',
    metadata: { name: `${pool}-queue` },
    spec: { brokerRef: { name: 'brief' }, queueName: 'none' },
  })
  await inNamespace('wait', '--for=condition=Ready=False', `taskqueue/${pool}-queue`, '--timeout=60s')
  await create(broker)
  await waitFor('ScaledToZero')
  await inNamespace('delete', 'taskbroker/brief')
  await waitFor('BrokerNotFound')
  // A repeated Event is written 10 s after the first at the earliest.
  const event = (
    await inNamespace('get', 'events.events.k8s.io', '-o', 'name', `--field-selector=regarding.name=${pool},reason=BrokerNotFound`)
  )
    .trim()
    .split('\n')
  expect(event).toHaveLength(1)
  await inNamespace('wait', '--for=jsonpath={.series.count}=2', event[0] ?? '', '--timeout=60s')
})

it('a run that is over goes when its time is', async () => {
  const address = `taskmill-redis.${release.namespace}.svc:6379`
  const apiVersion = 'taskmill.dev/v1alpha1'
  const task = { type: 'none', queue: 'none' }
  await create({ apiVersion, kind: 'TaskBroker', metadata: { name: 'runs' }, spec: { standalone: { address } } })
  await create({
    apiVersion,
    kind: 'TaskDependency',
    metadata: { name: 'runs' },
    spec: { brokerRef: { name: 'runs' }, nodes: [{ name: 'one', task }] },
  })
  await inNamespace('wait', '--for=condition=Ready', 'taskdependency/runs', '--timeout=60s')
  const spec = { dependencyRef: { name: 'runs' }, timeoutSeconds: 1, ttlSecondsAfterFinished: 0 }
  await create({ apiVersion, kind: 'TaskExecution', metadata: { name: 'brief' }, spec })
  await inNamespace('wait', '--for=delete', 'taskexecution/brief', '--timeout=60s')
  await inNamespace('delete', 'taskdependency/runs')
})

it('a schedule starts runs, marks them when they have ended, and takes back one that does not begin', async () => {
  const apiVersion = 'taskmill.dev/v1alpha1'
  const nodes = [{ name: 'one', task: { type: 'none', queue: 'none' } }]
  for (const [name, broker] of [
    ['starts', 'runs'],
    ['waits', 'nowhere'],
  ] as const) {
    await create({
      apiVersion,
      kind: 'TaskDependency',
      metadata: { name },
      spec: { brokerRef: { name: broker }, timeoutSeconds: 1, nodes },
    })
    const spec = {
      brokerRef: { name: 'runs' },
      everySeconds: 2,
      concurrencyPolicy: 'Forbid',
      pendingDeadlineSeconds: 5,
      dependencyRef: { name },
    }
    await create({ apiVersion, kind: 'TaskSchedule', metadata: { name }, spec })
  }
  for (const [name, reason] of [
    ['starts', 'TimedOut'],
    ['waits', 'PendingDeadlineExceeded'],
  ] as const) {
    const path = `jsonpath={.status.conditions[?(@.type=="LastRunSucceeded")].reason}=${reason}`
    await inNamespace('wait', `--for=${path}`, `taskschedule/${name}`, '--timeout=60s')
  }
  await inNamespace('delete', 'taskschedule/starts', 'taskschedule/waits', 'taskdependency/starts', 'taskdependency/waits')
  await inNamespace('delete', 'taskbroker/runs')
})

it('a calendar is read from the ConfigMap that it names', async () => {
  const apiVersion = 'taskmill.dev/v1alpha1'
  await create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'holidays' }, data: { dates: '2035-01-01' } })
  const calendars = { exclude: [{ name: 'holidays', configMapRef: { name: 'holidays', key: 'dates' } }] }
  const spec = { everySeconds: 3600, calendars, task: { type: 'none', queue: 'none' } }
  const address = `taskmill-redis.${release.namespace}.svc:6379`
  await create({ apiVersion, kind: 'TaskBroker', metadata: { name: 'calendars' }, spec: { standalone: { address } } })
  await create({ apiVersion, kind: 'TaskSchedule', metadata: { name: 'dated' }, spec: { ...spec, brokerRef: { name: 'calendars' } } })
  await inNamespace('wait', '--for=jsonpath={.status.reason}=SlotScheduled', 'taskschedule/dated', '--timeout=60s')
  await inNamespace('delete', 'taskschedule/dated', 'taskbroker/calendars', 'configmap/holidays')
})

it('an alert tells a channel what it finds of each kind that it may watch', async () => {
  const address = `taskmill-redis.${release.namespace}.svc:6379`
  const apiVersion = 'taskmill.dev/v1alpha1'
  const brokerRef = { name: 'alerts' }
  const template = { spec: { containers: [{ name: 'worker', image: 'localhost/taskmill:dev' }] } }
  const task = { type: 'none', queue: 'watched' }
  const watched = [
    { kind: 'TaskQueue', spec: { brokerRef, queueName: 'watched' } },
    { kind: 'TaskDependency', spec: { brokerRef, nodes: [{ name: 'one', task }] } },
    { kind: 'WorkerPool', spec: { brokerRef, queues: [{ name: 'watched' }], template } },
    { kind: 'TaskSchedule', spec: { brokerRef, suspend: true, everySeconds: 3600, task } },
  ]
  const all = ['secret/watched', 'alertchannel/watched', 'taskbroker/alerts']
  await create({ apiVersion, kind: 'TaskBroker', metadata: brokerRef, spec: { standalone: { address } } })
  // Nothing listens there: that the operator asked for the Secret, and for no other right, is what is looked at.
  await create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'watched' }, stringData: { url: 'http://127.0.0.1:9/' } })
  const webhook = { urlSecretRef: { name: 'watched', key: 'url' } }
  await create({ apiVersion, kind: 'AlertChannel', metadata: { name: 'watched' }, spec: { webhook } })
  await inNamespace('wait', '--for=condition=Ready', 'alertchannel/watched', '--timeout=60s')
  for (const { kind, spec } of watched) {
    const name = `watched-${kind.toLowerCase()}`
    await create({ apiVersion, kind, metadata: { name }, spec })
    const condition = { taskFailures: { moreThan: 0 }, windowSeconds: 60, channelRefs: [{ name: 'watched' }] }
    await create({ apiVersion, kind: 'TaskAlert', metadata: { name }, spec: { target: { kind, name }, ...condition } })
    await inNamespace('wait', '--for=condition=Ready', `taskalert/${name}`, '--timeout=60s')
    await inNamespace('wait', '--for=condition=Alerting=False', `${kind.toLowerCase()}/${name}`, '--timeout=60s')
    all.unshift(`taskalert/${name}`, `${kind.toLowerCase()}/${name}`)
  }
  await inNamespace('delete', ...all)
})

it('an operator that starts without rights lists everything as soon as it has them', async () => {
  const component = ['-l', 'app.kubernetes.io/component=operator'] as const
  await kubectl('delete', 'clusterrolebindings', ...component)
  await kubectl('-n', release.namespace, 'delete', 'pods', ...component)
  await waitUntil('the operator to be refused', 60_000, async () =>
    (await kubectl('-n', release.namespace, 'logs', '--tail=-1', ...component)).includes('cannot watch the API server'),
  )
  // Gives back what was deleted, and ends when both replicas are ready, which they are with full caches only.
  await installRelease(cluster)
})

// After the Event: this may change the leader, and a new one begins its own Events.
it('the operator creates its Lease again when a user has deleted it', async () => {
  const lease = ['-n', release.namespace, 'lease/taskmill-operator'] as const
  await kubectl('delete', ...lease)
  await kubectl('wait', '--for=create', ...lease, '--timeout=60s')
  await kubectl('wait', '--for=jsonpath={.spec.holderIdentity}', ...lease, '--timeout=60s')
})

it('every right that was used is granted, and every right that is granted was used', async ({ skip }) => {
  const { auditLog } = cluster
  if (auditLog === undefined) return skip('this cluster keeps no audit log')
  const roles = await kubectl('get', 'clusterroles,roles', '-A', '-l', 'app.kubernetes.io/component=operator', '-o', 'json')
  const granted = rightsOfRoles(roles)
  const used = rightsUsed(readFileSync(auditLog, 'utf8'), operator)
  const lines = (rights: readonly Right[]): readonly string[] => [...new Set(rights.map((right) => right.join(' ')))].toSorted()
  expect(lines(granted)).not.toEqual([])
  expect(lines(used)).toEqual(lines(granted))
})
