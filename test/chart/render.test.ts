import { describe, expect, it } from 'vitest'
import { run } from '../../hack/cluster/command.ts'
import { chartFolder, installNotes, type PodTemplate, type Rendered, renderChart, setArguments, tools } from './helm.ts'
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

  it('gives no right on Secrets, no wildcard, and no right to delete to the operator', async () => {
    for (const role of (await renderChart(...values)).filter(({ kind }) => kind.endsWith('Role'))) {
      for (const rule of role.rules ?? []) {
        expect(rule.resources).not.toContain('secrets')
        for (const list of [rule.apiGroups, rule.resources, rule.verbs]) expect(list).not.toContain('*')
        if (role.metadata.name.includes('operator')) expect(rule.verbs).not.toContain('delete')
      }
    }
  })

  it('holds no object of its own kinds, which Helm could not install together with them', async () => {
    for (const { apiVersion } of await renderChart(...values)) expect(apiVersion).not.toContain('taskmill.dev')
  })
})

describe('the operator', () => {
  it('is told by environment what main/ reads, and nothing else', async () => {
    const operator = await operatorOf()
    expect(operator.args).toEqual(['operator'])
    expect(Object.fromEntries(operator.env.map(({ name, value }) => [name, value]))).toEqual({
      POD_NAME: undefined,
      POD_NAMESPACE: undefined,
      TASKMILL_LOG_LEVEL: 'info',
      TASKMILL_HTTP_PORT: '8080',
      TASKMILL_LEASE_NAME: 'taskmill-operator',
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

  it('may take the Lease that it is told to take', async () => {
    const role = (await renderChart('fullnameOverride=mill')).find(
      ({ metadata }) => metadata.name === 'mill-operator-lease' && metadata.namespace === 'tasks',
    )
    expect(role?.rules?.[0]).toMatchObject({ resourceNames: ['mill-operator'], verbs: ['get', 'update'] })
    expect((await operatorOf('fullnameOverride=mill')).env).toContainEqual({ name: 'TASKMILL_LEASE_NAME', value: 'mill-operator' })
  })

  it('cannot lose its selector to labels that somebody adds', async () => {
    const [template] = (await renderChart('operator.podLabels.app\\.kubernetes\\.io/component=other')).flatMap(podsOf)
    expect(template?.metadata.labels['app.kubernetes.io/component']).toBe('operator')
  })
})

describe('what stays after helm uninstall', () => {
  it('is the CRDs, unless one asks otherwise, and the volume of the Redis', async () => {
    const crds = ['CustomResourceDefinition//taskbrokers.taskmill.dev', 'CustomResourceDefinition//workerpools.taskmill.dev']
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

  it('warn when an uninstall would delete all pools', async () => {
    expect(await installNotes('crds.keep=false')).toContain('WARNING')
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
