/**
 * Pools and schedules on the real node, through the chart: a Redis with a password whose Secret is rotated while everything runs, the
 * stock worker in real pods, /scale, and what people read about pods that do not come up. Runs are counted by the handlers' own store.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { run } from '../../hack/cluster/command.ts'
import { installRelease } from '../../hack/release.ts'

const namespace = 'schedules-e2e'
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const inNamespace = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args)
const apply = (...items: readonly object[]): Promise<string> =>
  run('kubectl', ['-n', namespace, 'apply', '-f', '-'], {
    env: cluster.env,
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  })
const taskmill = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'taskmill.dev/v1alpha1',
  kind,
  metadata: { name },
  spec,
})
const redisCli = (...args: string[]): Promise<string> => inNamespace('exec', 'redis', '--', 'redis-cli', ...args)

const container = {
  imagePullPolicy: 'IfNotPresent',
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    runAsUser: 1000,
    seccompProfile: { type: 'RuntimeDefault' },
  },
}
const redis = [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'redis', labels: { app: 'redis' } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...container,
          name: 'redis',
          image: 'localhost/taskmill-redis:7',
          command: ['redis-server'],
          args: ['--dir', '/tmp', '--save', '', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--requirepass', 'first'],
          readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
        },
      ],
    },
  },
  { apiVersion: 'v1', kind: 'Service', metadata: { name: 'redis' }, spec: { selector: { app: 'redis' }, ports: [{ port: 6379 }] } },
]
const secret = (password: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'redis-auth' },
  stringData: { password },
})
const code = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'code' },
  data: {
    'tasks.mjs': `
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
const [host, port] = process.env.TASKMILL_BROKER_ADDRESS.split(':')
// A connection for each, so that the store too follows the password.
export const tasks = {
  async record({ slot }, { jobId }) {
    const password = readFileSync(process.env.TASKMILL_BROKER_CREDENTIALS + '/password', 'utf8').trim()
    const store = new Redis({ host, port: Number(port), password })
    await store.hincrby('e2e:runs', jobId + ' ' + slot, 1)
    await store.quit()
  },
  async fail() {
    throw new Error('the mailbox is full')
  },
}
`,
  },
}
const pool = (queue: string, change: object = {}, image = 'localhost/taskmill:dev'): object => ({
  queues: [{ name: queue }],
  scaling: { maxReplicas: 2, behavior: { scaleDown: { stabilizationWindowSeconds: 2 } } },
  drainTimeoutSeconds: 5,
  template: {
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          ...container,
          name: 'worker',
          image,
          args: ['worker', '--tasks=/app/code/tasks.mjs'],
          readinessProbe: { httpGet: { path: '/readyz', port: 9090 }, periodSeconds: 1 },
          livenessProbe: { httpGet: { path: '/livez', port: 9090 } },
          volumeMounts: [{ name: 'code', mountPath: '/app/code', readOnly: true }],
        },
      ],
      volumes: [{ name: 'code', configMap: { name: 'code' } }],
    },
  },
  ...change,
})

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('delete', 'namespace', namespace, '--ignore-not-found')
  await run('kubectl', ['apply', '-f', '-'], {
    env: cluster.env,
    input: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    }),
  })
  await apply(...redis, secret('first'), code)
  await inNamespace('wait', '--for=condition=Ready', 'pod/redis', '--timeout=60s')
  await apply(
    taskmill('TaskBroker', 'default', { standalone: { address: `redis.${namespace}:6379` }, credentialsSecretRef: { name: 'redis-auth' } }),
    taskmill('WorkerPool', 'ticks', pool('ticks', { scaling: { minReplicas: 1, maxReplicas: 1 } })),
  )
  await inNamespace('wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
})

afterAll(() => kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false'))

/** How often each slot's job ran, by the handlers' own count. */
async function runsOf(schedule: string, password: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await redisCli('--no-auth-warning', '-a', password, 'hgetall', 'e2e:runs')).trim().split('\n')
  const runs = new Map<string, number>()
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [id = '', slot = ''] = (lines[at] ?? '').split(' ')
    if (id.startsWith(`tm/default/${namespace}/${schedule}/`)) runs.set(slot, Number(lines[at + 1]))
  }
  return runs
}

describe('a schedule', () => {
  it('fires each slot once, and its status shows it', async () => {
    await apply(
      taskmill('TaskSchedule', 'tick', { everySeconds: 2, task: { type: 'record', queue: 'ticks', payload: { slot: '$(slot)' } } }),
      taskmill('TaskSchedule', 'monthly', {
        schedules: ['0 1 1 * *'],
        timeZone: 'Europe/Berlin',
        task: { type: 'record', queue: 'ticks' },
      }),
    )
    await waitUntil('six slots', 90_000, async () => (await runsOf('tick', 'first')).size >= 6)
    const runs = await runsOf('tick', 'first')
    const slots = [...runs.keys()].map((slot) => Date.parse(slot) / 1000).toSorted((a, b) => a - b)
    expect([...runs.values()].filter((times) => times !== 1)).toEqual([])
    expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 2 * index))
    await inNamespace('wait', '--for=condition=LastRunSucceeded', 'taskschedule/tick', '--timeout=60s')
    const columns = await inNamespace('get', 'tsch')
    expect(columns).toMatch(/^NAME +SCHEDULE +TZ +ACTIVE +LAST +RESULT +FAILS +NEXT +REASON/u)
    expect(columns).toMatch(/^monthly +0 1 1 \* \* +Europe\/Berlin +/mu)
  })

  it('tells a failure with its message, and is Ready all the same', async () => {
    await apply(taskmill('TaskSchedule', 'failing', { everySeconds: 3, task: { type: 'fail', queue: 'ticks' } }))
    await inNamespace('wait', '--for=condition=LastRunSucceeded=False', 'taskschedule/failing', '--timeout=60s')
    const description = await inNamespace('describe', 'taskschedule', 'failing')
    expect(description).toContain('the mailbox is full')
    await inNamespace('wait', '--for=condition=Ready', 'taskschedule/failing', '--timeout=10s')
    await inNamespace('patch', 'taskschedule/failing', '--type=merge', '-p', '{"spec":{"suspend":true}}')
    await inNamespace('wait', '--for=jsonpath={.status.reason}=Suspended', 'taskschedule/failing', '--timeout=30s')
  })

  it('continues while the password is changed, with the same pods', async () => {
    const pods = await inNamespace('get', 'pods', '-l', 'taskmill.dev/pool=ticks', '-o', 'name')
    await redisCli('--no-auth-warning', '-a', 'first', 'acl', 'setuser', 'default', '>second')
    await apply(secret('second'))
    // The kubelet looks at the Secret of a pod that has changed at once, and of another one within a minute or two.
    await inNamespace('annotate', 'pods', '-l', 'taskmill.dev/pool=ticks', 'test/password=second')
    await waitUntil('the new password in the pods', 240_000, async () => {
      const clients = await inNamespace('exec', deploymentOf('ticks'), '--', 'cat', '/proc/1/environ').catch(() => '')
      const file = /TASKMILL_BROKER_CREDENTIALS=([^\0]+)/u.exec(clients)?.[1] ?? ''
      return (await inNamespace('exec', deploymentOf('ticks'), '--', 'cat', `${file}/password`)).trim() === 'second'
    })
    await redisCli('--no-auth-warning', '-a', 'second', 'acl', 'setuser', 'default', '<first')
    // No process may continue with an earlier connection.
    await redisCli('--no-auth-warning', '-a', 'second', 'client', 'kill', 'type', 'normal', 'skipme', 'yes')
    const before = (await runsOf('tick', 'second')).size
    await waitUntil('more slots', 120_000, async () => (await runsOf('tick', 'second')).size >= before + 5)
    expect([...(await runsOf('tick', 'second')).values()].filter((times) => times !== 1)).toEqual([])
    expect(await inNamespace('get', 'pods', '-l', 'taskmill.dev/pool=ticks', '-o', 'name')).toBe(pods)
    expect(await inNamespace('get', 'tmb', 'default')).toMatch(
      /^NAME +REACHABLE +VERSION +MEMORY +EVICTION +DISPATCH +AGE\ndefault +True +\d+\.\d+\.\d+ +\S+ +noeviction +Active /u,
    )
  })

  it('keeps a CronJob in step that starts its runs, and takes the clock back', async () => {
    const template = { spec: { restartPolicy: 'Never', containers: [{ ...container, name: 'main', image: 'localhost/taskmill:dev' }] } }
    await apply(taskmill('TaskSchedule', 'kept', { engine: 'CronJob', schedules: ['0 4 1 1 *'], job: { spec: { template } } }))
    const schedule = () => inNamespace('get', 'cronjob', 'kept', '--ignore-not-found', '-o', 'jsonpath={.spec.schedule}')
    await waitUntil('the CronJob', 60_000, async () => (await schedule()) === '0 4 1 1 *')
    await inNamespace('wait', '--for=condition=Ready', 'taskschedule/kept', '--timeout=60s')
    await inNamespace('patch', 'cronjob/kept', '--type=merge', '-p', '{"spec":{"schedule":"0 5 1 1 *"}}')
    await waitUntil('its repair', 60_000, async () => (await schedule()) === '0 4 1 1 *')
    await inNamespace('patch', 'taskschedule/kept', '--type=merge', '-p', '{"spec":{"engine":"Taskmill"}}')
    await waitUntil('the end of the CronJob', 90_000, async () => (await schedule()) === '')
    await inNamespace('wait', '--for=condition=Ready', 'taskschedule/kept', '--timeout=60s')
  })

  it('takes everything with it when it is deleted', async () => {
    await inNamespace('delete', 'taskschedule', '--all')
    await waitUntil('an empty ledger', 60_000, async () => {
      const keys = await redisCli('--no-auth-warning', '-a', 'second', 'keys', 'bull:.taskmill:ledger:*')
      return keys.trim() === ''
    })
  })
})

const deploymentOf = (name: string): string => `deployment/${name}`

describe('a pool', () => {
  it('says why its pods do not come up, in the words of the container', async () => {
    await apply(
      taskmill('WorkerPool', 'no-image', pool('none', { scaling: { minReplicas: 1, maxReplicas: 1 } }, 'localhost/taskmill:none')),
    )
    await waitUntil('the reason', 120_000, async () => {
      const message = await inNamespace('get', 'workerpool/no-image', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].message}')
      return /no-image-\S+.*(ErrImagePull|ImagePullBackOff)/u.test(message)
    })
    await inNamespace('delete', 'workerpool/no-image')
  })

  it('obeys kubectl scale in Manual, and shows its mode', async () => {
    await apply(taskmill('WorkerPool', 'by-hand', pool('by-hand', { scaling: { mode: 'Manual', maxReplicas: 2 } })))
    // What it is created with is what Manual finds; another number is one that comes after that.
    await inNamespace('wait', '--for=jsonpath={.status.observedGeneration}=1', 'workerpool/by-hand', '--timeout=60s')
    await inNamespace('scale', 'workerpool/by-hand', '--replicas=1')
    await inNamespace('wait', '--for=jsonpath={.status.readyReplicas}=1', 'workerpool/by-hand', '--timeout=120s')
    expect(await inNamespace('get', 'wp')).toMatch(
      /^NAME +READY +DESIRED +BUSY +BACKLOG +OLDEST +MODE +REASON +AGE\nby-hand +1\/1 +1 .*Manual/mu,
    )
    await inNamespace('delete', 'workerpool/by-hand')
  })

  it('scales a Deployment that is not its own, and writes nothing else to it', async () => {
    const spec = {
      replicas: 2,
      selector: { matchLabels: { app: 'own' } },
      template: {
        metadata: { labels: { app: 'own' } },
        spec: { containers: [{ ...container, name: 'own', image: 'localhost/taskmill:dev' }] },
      },
    }
    await apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'own' }, spec })
    await apply(
      taskmill('WorkerPool', 'own', {
        queues: [{ name: 'own' }],
        targetRef: { kind: 'Deployment', name: 'own' },
        scaling: { behavior: { scaleDown: { stabilizationWindowSeconds: 1 } } },
      }),
    )
    await inNamespace('wait', '--for=jsonpath={.spec.replicas}=0', 'deployment/own', '--timeout=60s')
    const template = JSON.parse(await inNamespace('get', 'deployment/own', '-o', 'jsonpath={.spec.template.spec.containers[0]}')) as object
    expect(template).not.toHaveProperty('env')
    await inNamespace('delete', 'workerpool/own', 'deployment/own')
  })
})
