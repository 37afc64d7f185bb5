import { describe, expect, it } from 'vitest'
import type { TaskBroker, WorkerPool } from '../../api/index.ts'
import { deploymentFor, fieldInPool } from './deployment.ts'
import { parseJson } from '../../json/index.ts'
import { broker, poolOf } from './fixtures.ts'

const builtFor = (pool: WorkerPool, by: TaskBroker) => {
  const built = deploymentFor(pool, by)
  if (built === undefined) throw new Error('a pool with a template has a Deployment')
  return built
}

type Container = { name: string; env?: { name: string; value?: string }[] }
const containersOf = (pool = poolOf()): Container[] =>
  (builtFor(pool, broker).spec.template['spec'] as { containers: Container[] }).containers
const environmentOf = (container: Container | undefined): Record<string, string | undefined> =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]))

it('belongs to the pool and leaves the replicas to their own manager', () => {
  const { metadata, spec } = builtFor(poolOf(), broker)
  expect(metadata).toMatchObject({
    name: 'email',
    namespace: 'acme',
    ownerReferences: [{ kind: 'WorkerPool', uid: 'pool-uid', controller: true }],
  })
  expect(spec).not.toHaveProperty('replicas')
  expect(spec.selector.matchLabels).toEqual({ 'taskmill.dev/pool': 'email' })
})

it('injects what the worker has to know', () => {
  const pool = poolOf({ queues: [{ name: 'a' }, { name: 'b' }], drainTimeoutSeconds: 300 })
  expect(environmentOf(containersOf(pool)[0])).toEqual({
    TASKMILL_POOL: 'email',
    TASKMILL_NAMESPACE: 'acme',
    TASKMILL_POD: undefined,
    TASKMILL_QUEUES: 'a,b',
    TASKMILL_CONCURRENCY: '4',
    TASKMILL_DRAIN_TIMEOUT_SECONDS: '300',
    TASKMILL_HTTP_PORT: '9090',
    TASKMILL_BROKER_ADDRESS: 'redis:6379',
    TASKMILL_BROKER_KEY_PREFIX: 'bull',
  })
})

it('injects into the container named worker, else into the first one, and into no other', () => {
  const named = containersOf(poolOf({ template: { spec: { containers: [{ name: 'proxy' }, { name: 'worker' }] } } }))
  expect(named.map((container) => container.env === undefined)).toEqual([true, false])
  const first = containersOf(poolOf({ template: { spec: { containers: [{ name: 'main' }, { name: 'proxy' }] } } }))
  expect(first.map((container) => container.env === undefined)).toEqual([false, true])
})

it('lets the template override a variable', () => {
  const env = [{ name: 'TASKMILL_CONCURRENCY', value: '9' }]
  const [container] = containersOf(poolOf({ template: { spec: { containers: [{ name: 'worker', env }] } } }))
  expect(container?.env?.filter(({ name }) => name === 'TASKMILL_CONCURRENCY')).toEqual(env)
})

const long = parseJson('9007199254740993')
it.each([
  { declared: undefined, want: 40 },
  { declared: null, want: 40 },
  { declared: 10, want: 40 },
  { declared: -1, want: 40 },
  { declared: 600, want: 600 },
  { declared: long, want: long },
  { declared: parseJson('-9007199254740993'), want: 40 },
  // For the API server to refuse, with the name of the field.
  { declared: 0.5, want: 0.5 },
  { declared: '600', want: '600' },
])('gives the pod time to drain: grace period $declared becomes $want', ({ declared, want }) => {
  const spec = { containers: [{ name: 'worker' }], ...(declared === undefined ? {} : { terminationGracePeriodSeconds: declared }) }
  const { template } = builtFor(poolOf({ template: { spec } }), broker).spec
  expect(template['spec']).toMatchObject({ terminationGracePeriodSeconds: want })
})

it.each([
  ['spec.template.spec.containers[0].args[1]', undefined],
  ['spec.template.spec.containers[0].env[1].valueFrom', undefined],
  ['spec.template.spec.containers[1].env[10].valueFrom.fieldRef', 'spec.template.spec.containers[1].env[0].valueFrom.fieldRef'],
  ['spec.template.spec.containers[1].env[11].name', 'spec.template.spec.containers[1].env[1].name'],
  ['spec.template.spec.containers[1].env[9].name', 'spec.brokerEnv'],
  ['spec.template.spec.containers[1].env[name="A"].value', undefined],
  ['spec.template.spec.containers[1].volumeMounts[0].name', undefined],
])('finds the field of the Deployment %s in the pool', (field, want = field) => {
  const env = [{ name: 'A' }, { name: 'B' }]
  const containers = [
    { name: 'proxy', env },
    { name: 'worker', env },
  ]
  const pool = poolOf({ brokerEnv: { url: 'REDIS_URL' }, template: { spec: { containers } } })
  expect(fieldInPool(field, pool, builtFor(pool, broker))).toBe(want)
})

it('keeps the labels and annotations of the template', () => {
  const template = { metadata: { labels: { team: 'mail' }, annotations: { note: 'x' } }, spec: { containers: [{ name: 'worker' }] } }
  expect(builtFor(poolOf({ template }), broker).spec.template['metadata']).toEqual({
    labels: { team: 'mail', 'taskmill.dev/pool': 'email' },
    annotations: { note: 'x' },
  })
})

describe('a broker with Secrets', () => {
  type Mounted = { name: string; mountPath: string }
  type Spec = { containers: (Container & { volumeMounts?: Mounted[]; terminationMessagePolicy?: string })[]; volumes?: object[] }
  const podOf = (spec: Partial<TaskBroker['spec']>, pool = poolOf()): Spec =>
    builtFor(pool, { ...broker, spec: { ...broker.spec, ...spec } }).spec.template['spec'] as Spec
  const credentialsSecretRef = { name: 'redis-auth' }
  const folder = '/var/run/secrets/taskmill.dev/broker'

  it('mounts nothing where there are none', () => {
    const { containers, volumes } = podOf({})
    expect([volumes, containers[0]?.volumeMounts]).toEqual([undefined, undefined])
  })

  it('mounts the credentials, and names their folder', () => {
    const { containers, volumes } = podOf({ credentialsSecretRef })
    expect(volumes).toEqual([{ name: 'taskmill-broker-credentials', secret: { secretName: 'redis-auth' } }])
    expect(containers[0]?.volumeMounts).toEqual([
      { name: 'taskmill-broker-credentials', mountPath: `${folder}/credentials`, readOnly: true },
    ])
    expect(environmentOf(containers[0])).toMatchObject({ TASKMILL_BROKER_CREDENTIALS: `${folder}/credentials` })
  })

  it.each([
    { tls: {}, volume: { emptyDir: {} }, env: {} },
    {
      tls: { caSecretRef: { name: 'ca' }, serverName: 'redis.acme.dev' },
      volume: { projected: { sources: [{ secret: { name: 'ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] } }] } },
      env: { TASKMILL_BROKER_TLS_SERVER_NAME: 'redis.acme.dev' },
    },
    {
      tls: { clientCertificateSecretRef: { name: 'me' } },
      volume: {
        projected: {
          sources: [
            {
              secret: {
                name: 'me',
                items: [
                  { key: 'tls.crt', path: 'tls.crt' },
                  { key: 'tls.key', path: 'tls.key' },
                ],
              },
            },
          ],
        },
      },
      env: {},
    },
  ])('mounts what TLS needs: $tls', ({ tls, volume, env }) => {
    const { containers, volumes } = podOf({ tls })
    expect(volumes).toEqual([{ name: 'taskmill-broker-tls', ...volume }])
    expect(environmentOf(containers[0])).toMatchObject({ TASKMILL_BROKER_TLS: `${folder}/tls`, ...env })
  })

  it('leaves to the template what it mounts itself', () => {
    const volumes = [
      { name: 'taskmill-broker-credentials', emptyDir: {} },
      { name: 'data', emptyDir: {} },
    ]
    const pool = poolOf({ template: { spec: { containers: [{ name: 'worker' }], volumes } } })
    expect(podOf({ credentialsSecretRef }, pool).volumes).toEqual(volumes)
  })

  it.each([
    ['null, which Kubernetes takes for nothing', null, true],
    ['a map, which the API server refuses with words', { a: 'b' }, false],
  ])('leaves a list that is %s to the API server', (_, declared, isFilled) => {
    const container = { name: 'worker', env: declared, volumeMounts: declared }
    const pool = poolOf({ template: { spec: { containers: [container], volumes: declared } } })
    const { containers, volumes } = podOf({ credentialsSecretRef }, pool)
    for (const list of [volumes, containers[0]?.env, containers[0]?.volumeMounts]) {
      expect(list).toEqual(isFilled ? expect.arrayContaining([expect.objectContaining({ name: expect.any(String) })]) : declared)
    }
  })

  it('keeps the last words of a container that fails, unless the template says otherwise', () => {
    expect(podOf({}).containers[0]?.terminationMessagePolicy).toBe('FallbackToLogsOnError')
    const containers = [{ name: 'worker', terminationMessagePolicy: 'File' }]
    expect(podOf({}, poolOf({ template: { spec: { containers } } })).containers[0]?.terminationMessagePolicy).toBe('File')
  })

  const fromSecret = (name: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: 'redis-auth', key } } })
  it.each<{ name: string; spec: Partial<TaskBroker['spec']>; brokerEnv: object; want: readonly object[] }>([
    { name: 'a URL', spec: {}, brokerEnv: { url: 'REDIS_URL' }, want: [{ name: 'REDIS_URL', value: 'redis://redis:6379' }] },
    { name: 'a URL with TLS', spec: { tls: {} }, brokerEnv: { url: 'U' }, want: [{ name: 'U', value: 'rediss://redis:6379' }] },
    {
      name: 'a URL with a password that has no name of its own',
      spec: { credentialsSecretRef },
      brokerEnv: { url: 'U' },
      want: [
        fromSecret('TASKMILL_BROKER_URL_PASSWORD', 'password'),
        { name: 'U', value: 'redis://:$(TASKMILL_BROKER_URL_PASSWORD)@redis:6379' },
      ],
    },
    {
      name: 'everything',
      spec: { credentialsSecretRef, standalone: { address: '[fd00::7]:6380' } },
      brokerEnv: { url: 'U', address: 'A', host: 'H', port: 'P', username: 'N', password: 'S', keyPrefix: 'X' },
      want: [
        { name: 'A', value: '[fd00::7]:6380' },
        { name: 'H', value: 'fd00::7' },
        { name: 'P', value: '6380' },
        { name: 'X', value: 'bull' },
        fromSecret('N', 'username'),
        fromSecret('S', 'password'),
        { name: 'U', value: 'redis://$(N):$(S)@[fd00::7]:6380' },
      ],
    },
    {
      name: 'no login where the broker has none',
      spec: {},
      brokerEnv: { url: 'U', username: 'N', password: 'S' },
      want: [{ name: 'U', value: 'redis://redis:6379' }],
    },
  ])('brokerEnv: $name', ({ spec, brokerEnv, want }) => {
    const env = podOf(spec, poolOf({ brokerEnv })).containers[0]?.env ?? []
    expect(env.filter(({ name }) => !name.startsWith('TASKMILL_') || name.endsWith('URL_PASSWORD'))).toEqual(want)
  })

  it("puts the template's own variables last, so that they can refer to ours", () => {
    const env = [{ name: 'CELERY_BROKER_URL', value: '$(U)/0' }]
    const pool = poolOf({ brokerEnv: { url: 'U' }, template: { spec: { containers: [{ name: 'worker', env }] } } })
    expect(
      podOf({}, pool)
        .containers[0]?.env?.slice(-2)
        .map(({ name }) => name),
    ).toEqual(['U', 'CELERY_BROKER_URL'])
  })
})
