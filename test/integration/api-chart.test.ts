import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { run, tryRun } from '../../hack/cluster/command.ts'
import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { chartFolder, installNotes, type Rendered, renderChart, setArguments, tools } from '../chart/helm.ts'
import { variants } from '../chart/variants.ts'
import { ask, type Stored } from './api-answer.ts'

/** The chart against a real API server: what it renders is accepted, its pods are admitted as restricted, and its rights are enough and not more. */
let cluster: ControlPlane
/** Where the release lives; `tasks` is what the variants are rendered for, and stays empty. */
const home = 'mill'
const operator = `system:serviceaccount:${home}:taskmill-operator`

beforeAll(async () => {
  cluster = await startControlPlane()
  for (const namespace of [home, 'tasks', 'mail', 'files']) {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    expect(
      await ask(cluster, 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }),
    ).toMatchObject({ status: 201 })
  }
  await helm(
    'install',
    'taskmill',
    chartFolder,
    ...setArguments(['redis.enabled=true', 'redis.persistence.enabled=true', 'operator.replicas=3']),
  )
  await waitUntil('the kinds', 20_000, async () => (await ask(cluster, 'GET', '/apis/taskmill.dev/v1alpha1/workerpools')).status === 200)
})

afterAll(() => cluster?.stop())

describe.each(Object.entries(variants))('the chart %s', (_, values) => {
  it('is accepted by a server-side dry run with strict validation', async () => {
    for (const object of await renderChart(...values)) {
      // The kinds of the Prometheus operator, which this server does not know; promtool judges the rules.
      if (object.kind === 'ServiceMonitor' || object.kind === 'PrometheusRule') continue
      const answer = await ask(cluster, 'PATCH', `${pathOf(object)}?dryRun=All&fieldValidation=Strict&fieldManager=test&force=true`, object)
      expect([object.kind, object.metadata.name, answer.status < 300 ? '' : answer.body.message]).toEqual([
        object.kind,
        object.metadata.name,
        '',
      ])
    }
  })

  it('has pods that the Pod Security Standard "restricted" admits', async () => {
    for (const { kind, spec } of await renderChart(...values)) {
      if (spec?.template === undefined) continue
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'try' },
        spec: { ...spec.template.spec, serviceAccountName: 'default', priorityClassName: undefined },
      }
      const answer = await ask(cluster, 'POST', '/api/v1/namespaces/tasks/pods?dryRun=All', pod)
      expect([kind, answer.status, answer.body.message]).toEqual([kind, 201, undefined])
    }
  })
})

describe('the notes', () => {
  it.each([[[]], [['redis.enabled=true']]])('print a TaskBroker that the server takes (%j)', async (values) => {
    const printed = (await installNotes(...values)).split("<<'YAML'\n")[1]?.split('\nYAML')[0]
    const broker: unknown = parse(printed ?? '')
    expect(
      await ask(cluster, 'POST', '/apis/taskmill.dev/v1alpha1/namespaces/default/taskbrokers?dryRun=All&fieldValidation=Strict', broker),
    ).toMatchObject({ status: 201 })
  })
})

describe('the operator', () => {
  it.each([
    ['list', 'taskmill.dev', 'workerpools'],
    ['watch', 'taskmill.dev', 'taskbrokers'],
    ['patch', 'taskmill.dev', 'workerpools', 'status'],
    ['patch', 'taskmill.dev', 'taskbrokers', 'status'],
    ['list', 'taskmill.dev', 'taskqueues'],
    ['patch', 'taskmill.dev', 'taskqueues', 'status'],
    ['list', 'taskmill.dev', 'taskschedules'],
    ['patch', 'taskmill.dev', 'taskschedules', 'status'],
    ['watch', 'taskmill.dev', 'taskdependencies'],
    ['patch', 'taskmill.dev', 'taskdependencies', 'status'],
    ['delete', 'taskmill.dev', 'taskexecutions'],
    ['patch', 'taskmill.dev', 'taskexecutions', 'status'],
    ['list', 'taskmill.dev', 'taskalerts'],
    ['patch', 'taskmill.dev', 'taskalerts', 'status'],
    ['watch', 'taskmill.dev', 'alertchannels'],
    ['patch', 'taskmill.dev', 'alertchannels', 'status'],
    ['get', '', 'secrets'],
    ['list', '', 'pods'],
    ['create', 'batch', 'jobs'],
    ['patch', 'batch', 'jobs'],
    ['delete', 'batch', 'jobs'],
    ['create', 'batch', 'cronjobs'],
    ['update', 'batch', 'cronjobs'],
    ['patch', 'batch', 'cronjobs', 'status'],
    ['delete', 'batch', 'cronjobs'],
    ['create', 'apps', 'deployments'],
    ['patch', 'apps', 'deployments'],
    ['create', 'events.k8s.io', 'events'],
    ['patch', 'events.k8s.io', 'events'],
  ])('may %s %s %s %s everywhere', async (verb, group, resource, subresource = '') => {
    expect(await may({ verb, group, resource, subresource, namespace: 'mail' })).toBe(true)
    expect(await may({ verb, group, resource, subresource })).toBe(true)
  })

  it.each([
    ['list', '', 'secrets'],
    ['watch', '', 'secrets'],
    ['get', '', 'namespaces'],
    ['create', '', 'pods'],
    ['delete', 'apps', 'deployments'],
    ['patch', 'batch', 'jobs', 'status'],
    ['update', 'batch', 'cronjobs', 'status'],
    ['get', 'taskmill.dev', 'workerpools'],
    ['patch', 'taskmill.dev', 'workerpools'],
    ['update', 'taskmill.dev', 'taskbrokers'],
    ['delete', 'taskmill.dev', 'workerpools'],
    ['create', 'taskmill.dev', 'workerpools'],
    ['patch', 'taskmill.dev', 'taskalerts'],
    ['patch', 'taskmill.dev', 'alertchannels'],
    ['patch', 'apps', 'deployments', 'scale'],
    ['list', 'coordination.k8s.io', 'leases'],
    ['patch', 'rbac.authorization.k8s.io', 'clusterroles'],
    ['get', 'apiextensions.k8s.io', 'customresourcedefinitions'],
  ])('may not %s %s %s %s', async (verb, group, resource, subresource = '') => {
    expect(await may({ verb, group, resource, subresource, namespace: home })).toBe(false)
  })

  it('may take its own Lease, in its own namespace, and no other', async () => {
    const lease = { group: 'coordination.k8s.io', resource: 'leases' }
    for (const verb of ['get', 'update']) {
      expect(await may({ ...lease, verb, namespace: home, name: 'taskmill-operator' })).toBe(true)
      expect(await may({ ...lease, verb, namespace: home, name: 'kube-scheduler' })).toBe(false)
      expect(await may({ ...lease, verb, namespace: 'mail', name: 'taskmill-operator' })).toBe(false)
    }
    expect(await may({ ...lease, verb: 'create', namespace: home })).toBe(true)
    expect(await may({ ...lease, verb: 'create', namespace: 'mail' })).toBe(false)
  })
})

describe('people with the roles of Kubernetes', () => {
  it.each([
    ['view', 'list', true],
    ['view', 'create', false],
    ['edit', 'create', true],
    ['edit', 'deletecollection', true],
    ['admin', 'patch', true],
  ])('who %s may %s WorkerPools: %s', async (role, verb, expected) => {
    const user = `user-${role}`
    await ask(cluster, 'PATCH', `/apis/rbac.authorization.k8s.io/v1/namespaces/mail/rolebindings/${user}?fieldManager=test`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    })
    await waitUntil(
      `the rights of ${user}`,
      10_000,
      async () => await may({ verb: 'list', group: 'taskmill.dev', resource: 'workerpools', namespace: 'mail' }, user),
    )
    expect(await may({ verb, group: 'taskmill.dev', resource: 'workerpools', namespace: 'mail' }, user)).toBe(expected)
  })
})

describe('the life of a release', () => {
  it('a wrong value is refused, and nothing changes', async () => {
    const before = await operatorDeployment()
    const { code, stderr } = await tryRun(tools.helm, helmArguments('upgrade', 'taskmill', chartFolder, '--set', 'operator.replicas=two'))
    expect([code, stderr]).toEqual([1, expect.stringContaining('/operator/replicas')])
    expect((await operatorDeployment()).metadata.resourceVersion).toBe(before.metadata.resourceVersion)
  })

  it('an upgrade changes what it was asked to, and volumes can be switched', async () => {
    await helm('upgrade', 'taskmill', chartFolder, ...setArguments(['redis.enabled=true', 'operator.logLevel=debug']))
    const deployment = await operatorDeployment()
    expect(deployment.spec.replicas).toBe(2)
    expect(deployment.spec.template?.spec.containers[0]?.env).toContainEqual({ name: 'TASKMILL_LOG_LEVEL', value: 'debug' })
    const redis = (await ask<Rendered>(cluster, 'GET', `/apis/apps/v1/namespaces/${home}/statefulsets/taskmill-redis`)).body
    expect(redis.spec?.template?.spec.volumes).toEqual([{ name: 'data', emptyDir: {} }])
  })

  it('an uninstall keeps the kinds, their objects and the volume, and a later install finds them', async () => {
    const pools = '/apis/taskmill.dev/v1alpha1/namespaces/mail/workerpools'
    const template = { spec: { containers: [{ name: 'worker', image: 'app:1' }] } }
    await ask(cluster, 'POST', pools, {
      apiVersion: 'taskmill.dev/v1alpha1',
      kind: 'WorkerPool',
      metadata: { name: 'email' },
      spec: { queues: [{ name: 'email' }], template },
    })
    await helm('uninstall', 'taskmill')
    expect((await ask(cluster, 'GET', `${pools}/email`)).status).toBe(200)
    expect((await ask(cluster, 'GET', `/api/v1/namespaces/${home}/persistentvolumeclaims/taskmill-redis`)).status).toBe(200)
    expect((await ask(cluster, 'GET', `/apis/apps/v1/namespaces/${home}/deployments/taskmill-operator`)).status).toBe(404)
    await helm('install', 'taskmill', chartFolder, ...setArguments(['redis.enabled=true', 'redis.persistence.enabled=true']))
    expect((await ask(cluster, 'GET', `${pools}/email`)).status).toBe(200)
  })
})

type Review = { readonly status: { readonly allowed: boolean } }

type Access = {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

async function may(resourceAttributes: Access, user = operator): Promise<boolean> {
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, resourceAttributes } }
  return (await ask<Review>(cluster, 'POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review)).body.status.allowed
}

async function operatorDeployment() {
  return (await ask<Stored & Rendered>(cluster, 'GET', `/apis/apps/v1/namespaces/${home}/deployments/taskmill-operator`)).body
}

function pathOf({
  apiVersion,
  kind,
  metadata,
}: {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string }
}): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const place = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `${root}${place}/${`${kind.toLowerCase()}s`.replace(/ys$/u, 'ies')}/${metadata.name}`
}

function helm(...args: readonly string[]): Promise<string> {
  return run(tools.helm, helmArguments(...args))
}

function helmArguments(...args: readonly string[]): string[] {
  return [...args, '--kubeconfig', cluster.kubeconfig, '--namespace', home]
}
