import { describe, expect, it } from 'vitest'
import { kinds as declaredKinds } from '../../src/api/index.ts'
import { run } from '../../hack/cluster/command.ts'
import { chartFolder, installNotes, type PodTemplate, type Rendered, renderChart, setArguments, type Strings, tools } from './helm.ts'
import { variants } from './variants.ts'

describe.each(Object.entries(variants))('%s', (_, values) => {
  it('passes helm lint --strict', async () => {
    await run(tools.helm, ['lint', '--strict', chartFolder, ...setArguments(values)])
  })

  it('renders objects that parse, have the usual labels, and are there once', async () => {
    const objects = await renderChart(...values)
    for (const object of objects) {
      expect([object.kind, object.metadata.labels]).toEqual([
        object.kind,
        expect.objectContaining({ 'app.kubernetes.io/name': 'taskmill', 'app.kubernetes.io/managed-by': 'Helm' }),
      ])
    }
    const ids = objects.map(idOf)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('runs every pod as the Pod Security Standard "restricted" asks, with a root file system that cannot be written', async () => {
    const templates = (await renderChart(...values)).flatMap(podsOf)
    expect(templates.length).toBeGreaterThan(0)
    for (const { spec: pod } of templates) {
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      expect(pod.securityContext).not.toMatchObject({ runAsUser: 0 })
      for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod).not.toHaveProperty(field)
      for (const volume of pod.volumes ?? []) expect(volume).not.toHaveProperty('hostPath')
      expect(pod).not.toHaveProperty('initContainers')
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true,
        })
        expect(container).toMatchObject({ resources: { requests: {}, limits: {} }, livenessProbe: {}, readinessProbe: {} })
      }
    }
  })

  it('selects pods by labels that the pods have and that never change with a version', async () => {
    for (const { spec } of await renderChart(...values)) {
      if (spec?.template === undefined) continue
      const selected = spec.selector?.matchLabels ?? {}
      expect(spec.template.metadata.labels).toMatchObject(selected)
      expect(Object.keys(selected)).toEqual(['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'])
    }
  })

  it('leads every Service to the pods of its component', async () => {
    const objects = await renderChart(...values)
    for (const service of objects.filter(({ kind }) => kind === 'Service')) {
      const wanted = Object.entries(service.spec?.selector ?? {})
      const pods = objects.flatMap(podsOf).filter(({ metadata }) => wanted.every(([name, value]) => metadata.labels[name] === value))
      expect(pods).toHaveLength(1)
      const ports = pods[0]?.spec.containers[0]?.ports.map(({ name }) => name)
      expect(ports).toEqual(service.spec?.ports?.map(({ targetPort }) => targetPort))
    }
  })

  it('selects by a policy, a budget and a monitor what is there', async () => {
    const objects = await renderChart(...values)
    const found = (kinds: readonly string[], wanted: Strings): readonly Rendered[] =>
      objects.filter(({ kind, metadata, spec }) => {
        const labels = spec?.template?.metadata.labels ?? metadata.labels ?? {}
        return kinds.includes(kind) && Object.entries(wanted).every(([name, value]) => labels[name] === value)
      })
    for (const { kind, spec } of objects) {
      const workload = ['Deployment', 'StatefulSet']
      if (kind === 'NetworkPolicy') expect(found(workload, spec?.podSelector?.matchLabels ?? {})).toHaveLength(1)
      if (kind === 'PodDisruptionBudget') expect(found(workload, spec?.selector?.matchLabels ?? {})).toHaveLength(1)
      if (kind === 'ServiceMonitor') expect(found(['Service'], spec?.selector?.matchLabels ?? {})).toHaveLength(1)
    }
  })

  it('gives the operator Secrets by name only, no wildcard, and no right to delete anything but runs, their Jobs and CronJobs', async () => {
    for (const role of (await renderChart(...values)).filter(({ kind }) => kind.endsWith('Role'))) {
      for (const rule of role.rules ?? []) {
        if (rule.resources.includes('secrets')) expect([rule.resources, rule.verbs]).toEqual([['secrets'], ['get']])
        for (const list of [rule.apiGroups, rule.resources, rule.verbs]) expect(list).not.toContain('*')
        const isOurs = ['taskexecutions', 'jobs', 'cronjobs'].includes(rule.resources.join(' '))
        if (role.metadata.name.includes('operator') && !isOurs) expect(rule.verbs).not.toContain('delete')
      }
    }
  })

  it('holds no object of its own kinds, which Helm could not install together with them', async () => {
    for (const { apiVersion } of await renderChart(...values)) expect(apiVersion).not.toContain('taskmill.dev')
  })
})

describe('the operator', () => {
  it('receives the environment variables that main/ reads, and no others', async () => {
    const operator = await operatorOf()
    expect(operator.args).toEqual(['operator'])
    expect(Object.fromEntries(operator.env.map(({ name, value }) => [name, value]))).toEqual({
      POD_NAME: undefined,
      POD_NAMESPACE: undefined,
      TASKMILL_LOG_LEVEL: 'info',
      TASKMILL_METRICS_DETAIL: 'object',
      NODE_OPTIONS: '--max-semi-space-size=4',
      MALLOC_ARENA_MAX: '2',
      TASKMILL_HTTP_PORT: '8080',
      TASKMILL_LEASE_NAME: 'taskmill-operator',
      TASKMILL_INSTALLATION: 'default',
      TASKMILL_WATCH_NAMESPACES: '',
    })
    expect([operator.livenessProbe.httpGet?.path, operator.readinessProbe.httpGet?.path]).toEqual(['/livez', '/readyz'])
  })

  it.each([
    [[], 'taskmill:0.1.0'],
    [['image.tag=dev', 'image.repository=localhost/taskmill'], 'localhost/taskmill:dev'],
    [['image.registry=registry.example.com', 'image.repository=acme/taskmill'], 'registry.example.com/acme/taskmill:0.1.0'],
    [['image.tag=dev', `image.digest=sha256:${'0'.repeat(64)}`], `taskmill@sha256:${'0'.repeat(64)}`],
  ])('runs the image of %j', async (values, image) => {
    expect((await operatorOf(...values)).image).toBe(image)
  })

  it('has Roles in the namespaces that it watches, and then no ClusterRole', async () => {
    const objects = await renderChart('operator.watchNamespaces={mail,files}', 'rbac.aggregateToDefaultRoles=false')
    expect(objects.filter(({ kind }) => kind.startsWith('ClusterRole'))).toEqual([])
    expect(new Set(objects.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(['files', 'mail', 'tasks']),
    )
    expect((await operatorOf('operator.watchNamespaces={mail,files}')).env).toContainEqual({
      name: 'TASKMILL_WATCH_NAMESPACES',
      value: 'mail,files',
    })
  })

  it('has a role for each of its parts, bound to its ServiceAccount', async () => {
    for (const values of [[], ['operator.watchNamespaces={mail}']]) {
      const objects = await renderChart(...values, 'serviceAccount.name=mill', 'rbac.aggregateToDefaultRoles=false')
      const bound = objects
        .filter(({ kind }) => kind.endsWith('RoleBinding'))
        .map(({ kind, metadata, roleRef, subjects }) => {
          expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'mill', namespace: 'tasks' }])
          expect(`${roleRef?.kind}Binding`).toBe(kind)
          return `${roleRef?.kind}/${metadata.namespace ?? ''}/${roleRef?.name}`
        })
      expect(bound.toSorted()).toEqual(
        objects
          .filter(({ kind }) => kind.endsWith('Role'))
          .map(idOf)
          .toSorted(),
      )
      const parts = bound.map((id) => id.split('taskmill-operator-')[1] ?? '').toSorted()
      expect(parts).toEqual([
        'events',
        'identity',
        'leader-election',
        'task-alert',
        'task-broker',
        'task-dependency',
        'task-execution',
        'task-queue',
        'task-schedule',
        'worker-pool',
      ])
    }
  })

  it('may take the Lease that it is configured to take', async () => {
    const role = (await renderChart('fullnameOverride=mill')).find(
      ({ metadata }) => metadata.name === 'mill-operator-leader-election' && metadata.namespace === 'tasks',
    )
    expect(role?.rules?.[0]).toMatchObject({ resourceNames: ['mill-operator'], verbs: ['get', 'update'] })
    expect((await operatorOf('fullnameOverride=mill')).env).toContainEqual({ name: 'TASKMILL_LEASE_NAME', value: 'mill-operator' })
  })

  it('cannot lose its selector to labels that a user adds', async () => {
    const [template] = (await renderChart('operator.podLabels.app\\.kubernetes\\.io/component=other')).flatMap(podsOf)
    expect(template?.metadata.labels['app.kubernetes.io/component']).toBe('operator')
  })
})

describe('replicas', () => {
  it.each([
    [0, 0, undefined],
    [1, 0, undefined],
    [2, 1, 'kubernetes.io/hostname'],
    [3, 1, 'kubernetes.io/hostname'],
  ])('%i: %i budgets, spread over %s', async (replicas, budgets, topologyKey) => {
    const objects = await renderChart(`operator.replicas=${replicas}`)
    expect(objects.find(({ kind }) => kind === 'Deployment')?.spec?.replicas).toBe(replicas)
    expect(objects.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ spec }) => spec)).toEqual(
      Array.from({ length: budgets }, () => expect.objectContaining({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })),
    )
    const [pod] = objects.flatMap(podsOf)
    expect(pod?.spec.topologySpreadConstraints).toEqual(
      topologyKey === undefined ? undefined : [expect.objectContaining({ topologyKey, whenUnsatisfiable: 'ScheduleAnyway' })],
    )
  })

  it('are two by default', async () => {
    expect((await renderChart()).find(({ kind }) => kind === 'Deployment')?.spec?.replicas).toBe(2)
  })

  it('are spread as one asks instead', async () => {
    const [pod] = (await renderChart(...(variants['three replicas'] ?? []))).flatMap(podsOf)
    expect(pod?.spec.topologySpreadConstraints).toEqual([
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
    ])
  })
})

describe('the network policy', () => {
  const policyOf = async (...values: readonly string[]) => (await renderChart(...values)).find(({ kind }) => kind === 'NetworkPolicy')?.spec

  it('lets the pods of the cluster read the metrics, and leaves what goes out open', async () => {
    expect(await policyOf()).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 'http' }], from: [{ namespaceSelector: {} }] }],
    })
  })

  it('grants no access when no subject is named', async () => {
    expect(await policyOf('networkPolicy.ingressFrom=null')).toMatchObject({ policyTypes: ['Ingress'], ingress: [] })
  })

  it('limits what goes out to DNS and what is named, once something is', async () => {
    const policy = await policyOf('networkPolicy.egress[0].to[0].ipBlock.cidr=10.0.0.0/8', 'networkPolicy.egress[0].ports[0].port=6379')
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress'])
    const dns = { ports: ['UDP', 'TCP'].map((protocol) => ({ port: 53, protocol })) }
    expect(policy?.egress).toEqual([dns, { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 6379 }] }])
  })

  it('is not there when it is not wanted', async () => {
    expect(await policyOf('networkPolicy.enabled=false')).toBe(undefined)
  })
})

describe('the service monitor', () => {
  const monitorsOf = async (...values: readonly string[]) => (await renderChart(...values)).filter(({ kind }) => kind === 'ServiceMonitor')

  it('is there only when asked for: its kind may be unknown to the cluster', async () => {
    expect(await monitorsOf()).toEqual([])
  })

  it('has the labels that Prometheus looks for, and cannot lose its own', async () => {
    const [monitor] = await monitorsOf(
      'serviceMonitor.enabled=true',
      'serviceMonitor.labels.release=prometheus',
      'serviceMonitor.labels.app\\.kubernetes\\.io/component=other',
      'serviceMonitor.interval=1m',
    )
    expect(monitor?.metadata.labels).toMatchObject({ release: 'prometheus', 'app.kubernetes.io/component': 'operator' })
    expect(monitor?.spec?.endpoints).toEqual([{ port: 'http', path: '/metrics', honorLabels: true, interval: '1m' }])
  })
})

describe('objects that stay after helm uninstall', () => {
  it('is the CRDs, unless one asks otherwise, and the volume of the Redis', async () => {
    const crds = declaredKinds.map(({ plural }) => `CustomResourceDefinition//${plural}.taskmill.dev`).toSorted()
    expect(await kept()).toEqual(crds)
    expect(await kept('crds.keep=false')).toEqual([])
    expect(await kept('crds.install=false', 'redis.enabled=true', 'redis.persistence.enabled=true')).toEqual([
      'PersistentVolumeClaim/tasks/taskmill-redis',
    ])
  })
})

describe('the notes', () => {
  it('print the address of the embedded Redis, which is a Service of the chart', async () => {
    const notes = await installNotes('redis.enabled=true')
    expect(notes).toContain('address: taskmill-redis.tasks.svc:6379')
    expect(notes).toContain('redis.persistence.enabled=true')
    const service = (await renderChart('redis.enabled=true')).find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === 'taskmill-redis',
    )
    expect(service?.spec?.ports).toEqual([{ name: 'redis', port: 6379, targetPort: 'redis' }])
  })

  it.each(['crds.keep=false', 'operator.replicas=1', 'operator.replicas=0'])('warn of %s, by its name', async (value) => {
    expect(await installNotes(value)).toContain(`WARNING: ${value.replace('=', ' is ')}`)
  })

  it('warn of nothing by default', async () => {
    expect(await installNotes()).not.toContain('WARNING')
  })
})

async function operatorOf(...values: readonly string[]) {
  const deployment = (await renderChart(...values)).find(({ kind }) => kind === 'Deployment')
  const container = deployment?.spec?.template?.spec.containers[0]
  if (container === undefined) throw new Error('the chart has no operator')
  return container
}

function podsOf({ spec }: Rendered): readonly PodTemplate[] {
  return spec?.template === undefined ? [] : [spec.template]
}

async function kept(...values: readonly string[]): Promise<readonly string[]> {
  return (await renderChart(...values)).filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep').map(idOf)
}

function idOf({ kind, metadata }: Rendered): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
}
