/**
 * Runs on the real node, through the chart: a graph of queue jobs and Kubernetes Jobs with the stock worker, a Job that fails, one that is
 * cancelled, one that a user deletes, and those of a schedule.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { run } from '../../hack/cluster/command.ts'
import { installRelease, release } from '../../hack/release.ts'

const namespace = 'runs-e2e'
const apiVersion = 'taskmill.dev/v1alpha1'
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const inNamespace = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args)
const given = (verb: 'apply' | 'create', object: object): Promise<string> =>
  run('kubectl', ['-n', namespace, verb, '-o', 'name', '-f', '-'], { env: cluster.env, input: JSON.stringify(object) })
const taskmill = (kind: string, name: string, spec: object): Promise<string> =>
  given('apply', { apiVersion, kind, metadata: { name }, spec })
const read = async <T>(...args: string[]): Promise<T> => JSON.parse(await inNamespace('get', '-o', 'json', ...args)) as T

const container = {
  image: 'localhost/taskmill:dev',
  imagePullPolicy: 'IfNotPresent',
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  },
}
/** A Job that runs this program. */
const jobOf = (program: string, env: readonly object[] = [], spec: object = {}): object => ({
  spec: {
    backoffLimit: 0,
    ...spec,
    template: {
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        containers: [{ ...container, name: 'main', command: ['node', '-e', program], env }],
      },
    },
  },
})

type Node = { readonly name: string; readonly state: string; readonly job?: string; readonly reason?: string; readonly message?: string }
type Execution = { readonly status: { readonly state: string; readonly failureMessage?: string; readonly nodes: readonly Node[] } }
type Job = {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> }
  readonly spec: { readonly ttlSecondsAfterFinished?: number }
}

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('delete', 'namespace', namespace, '--ignore-not-found')
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await given('apply', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } })
  const code = 'export const tasks = { list: async () => ({ items: 3 }), send: async ({ built }) => built }'
  await given('apply', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'code' }, data: { 'tasks.mjs': code } })
  const address = `taskmill-redis.${release.namespace}.svc:6379`
  await taskmill('TaskBroker', 'default', { standalone: { address } })
  const worker = {
    ...container,
    name: 'worker',
    args: ['worker', '--tasks=/app/code/tasks.mjs'],
    volumeMounts: [{ name: 'code', mountPath: '/app/code' }],
  }
  await taskmill('WorkerPool', 'runs', {
    queues: [{ name: 'runs-e2e' }],
    scaling: { minReplicas: 1, maxReplicas: 1 },
    drainTimeoutSeconds: 1,
    template: {
      spec: { automountServiceAccountToken: false, containers: [worker], volumes: [{ name: 'code', configMap: { name: 'code' } }] },
    },
  })
  await inNamespace('wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
})

afterAll(() => kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false'))

it('a graph goes from queue jobs to Jobs and back, each created by hand under a name of its own', async () => {
  const task = (type: string, payload: object = {}) => ({ type, queue: 'runs-e2e', payload })
  const check = 'process.exit(process.env.ITEMS === "3 of 5" ? 0 : 1)'
  await taskmill('TaskDependency', 'mixed', {
    parameters: { most: 5 },
    nodes: [
      { name: 'list', task: task('list') },
      {
        name: 'build',
        dependsOn: [{ name: 'list' }],
        job: jobOf(check, [{ name: 'ITEMS', value: '$(nodes.list.result.items) of $(parameters.most)' }]),
      },
      { name: 'send', dependsOn: [{ name: 'build' }], task: task('send', { built: '$(nodes.build.status)' }) },
    ],
    finally: [
      {
        name: 'tidy',
        job: jobOf('process.exit(process.env.OUTCOME === "Succeeded" ? 0 : 1)', [{ name: 'OUTCOME', value: '$(run.outcome)' }]),
      },
    ],
  })
  await inNamespace('wait', '--for=condition=Ready', 'taskdependency/mixed', '--timeout=60s')
  const spec = { dependencyRef: { name: 'mixed' } }
  const name = (await given('create', { apiVersion, kind: 'TaskExecution', metadata: { generateName: 'mixed-' }, spec })).trim()
  await inNamespace('wait', '--for=condition=Succeeded', name, '--timeout=240s')
  const { status } = await read<Execution>(name)
  expect(status.nodes.map(({ name: node, state }) => `${node} ${state}`)).toEqual([
    'list Succeeded',
    'build Succeeded',
    'send Succeeded',
    'tidy Succeeded',
  ])
  for (const { job } of status.nodes.filter((node) => node.job !== undefined)) {
    await inNamespace('wait', '--for=jsonpath={.spec.ttlSecondsAfterFinished}=86400', `job/${job}`, '--timeout=60s')
  }
})

it('a failed Job is shown with its exit code and its last words', async () => {
  await taskmill('TaskExecution', 'fails', { job: jobOf('console.error("the disk is full"); process.exit(3)') })
  await inNamespace('wait', '--for=condition=Stalled', 'tex/fails', '--timeout=120s')
  const { status } = await read<Execution>('tex/fails')
  expect(status.failureMessage).toMatch(
    /^job: BackoffLimitExceeded, pod .*, container main: exit code 3: the disk is full\. Next: kubectl logs/u,
  )
})

it('a Job that is cancelled goes with its pod; until then it has no TTL', async () => {
  await taskmill('TaskExecution', 'cancelled', { job: jobOf('setTimeout(() => {}, 1e8)') })
  const pods = ['-l', 'taskmill.dev/execution=cancelled'] as const
  await inNamespace('wait', '--for=create', 'pods', ...pods, '--timeout=60s')
  await inNamespace('wait', '--for=condition=Ready', 'pods', ...pods, '--timeout=120s')
  const [job] = (await read<{ readonly items: readonly Job[] }>('jobs', ...pods)).items
  expect(job?.spec).not.toHaveProperty('ttlSecondsAfterFinished')
  await inNamespace('patch', 'tex/cancelled', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
  await inNamespace('wait', '--for=jsonpath={.status.state}=Cancelled', 'tex/cancelled', '--timeout=60s')
  await inNamespace('wait', '--for=delete', 'pods', ...pods, '--timeout=60s')
  expect(await inNamespace('get', 'jobs', '-o', 'name', ...pods)).toBe('')
})

it('a Job that a user deletes has failed', async () => {
  await taskmill('TaskExecution', 'removed', { job: jobOf('setTimeout(() => {}, 1e8)') })
  await inNamespace('wait', '--for=jsonpath={.status.nodes[0].job}', 'tex/removed', '--timeout=60s')
  const { status } = await read<Execution>('tex/removed')
  await inNamespace('wait', '--for=create', `job/${status.nodes[0]?.job}`, '--timeout=60s')
  await inNamespace('delete', `job/${status.nodes[0]?.job}`)
  await inNamespace('wait', '--for=condition=Stalled', 'tex/removed', '--timeout=60s')
  expect((await read<Execution>('tex/removed')).status.nodes[0]).toMatchObject({ state: 'Failed', reason: 'JobRemoved' })
})

it('a Job whose image cannot be had says so while the run waits', async () => {
  const template = {
    spec: { restartPolicy: 'Never', containers: [{ ...container, name: 'main', image: 'localhost/none:1', imagePullPolicy: 'Never' }] },
  }
  await taskmill('TaskExecution', 'imageless', { job: { spec: { template } }, timeoutSeconds: 3600 })
  await inNamespace('wait', '--for=jsonpath={.status.waitingFor}=job failing (ErrImageNeverPull)', 'tex/imageless', '--timeout=120s')
  await inNamespace('delete', 'tex/imageless')
  await inNamespace('wait', '--for=delete', 'jobs', '-l', 'taskmill.dev/execution=imageless', '--timeout=60s')
})

it('a schedule creates a Job for each slot, which knows its slot, and keeps it until its end is recorded', async () => {
  const check = 'process.exit(/^....-..-..T..:..:..Z$/u.test(process.env.SLOT) ? 0 : 1)'
  await taskmill('TaskSchedule', 'often', { everySeconds: 5, job: jobOf(check, [{ name: 'SLOT', value: '$(slot)' }]) })
  await inNamespace('wait', '--for=condition=LastRunSucceeded', 'tsch/often', '--timeout=120s')
  const jobs = ['-l', 'taskmill.dev/started-by=TaskSchedule,taskmill.dev/schedule=often'] as const
  const { items } = await read<{ readonly items: readonly Job[] }>('jobs', ...jobs)
  const [first] = items
  await inNamespace('wait', '--for=jsonpath={.spec.ttlSecondsAfterFinished}=86400', `job/${first?.metadata.name}`, '--timeout=60s')
  expect(new Set(items.map(({ metadata }) => metadata.annotations['taskmill.dev/job-id'])).size).toBe(items.length)
  await inNamespace('delete', 'tsch/often')
  await inNamespace('wait', '--for=delete', 'jobs', ...jobs, '--timeout=60s')
})
