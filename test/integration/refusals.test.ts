/** What a real API server answers to writes that it does not accept, and what Taskmill makes of each answer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployments, jobs, type KubeObject, type Resource } from '../../src/api/index.ts'
import { classifyRefusal, describeRefusal, type Refusal, type RefusalKind } from '../../src/errors/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { namespaces, observe } from '../support/cluster-client.ts'

let cluster: TestCluster
let namespace: string

beforeAll(async () => {
  cluster = await openCluster()
  namespace = await cluster.createNamespace('refusals')
})

afterAll(async () => {
  await cluster?.close()
})

async function refusalOf(write: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await write.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeDefined()
  return classifyRefusal(error)
}

const podOf = (container: object, pod: object = {}) => ({ containers: [{ name: 'worker', image: 'x', ...container }], ...pod })
const applied = (name: string, container: object, pod: object = {}): Promise<unknown> => {
  const matchLabels = { app: name }
  const template = { metadata: { labels: matchLabels }, spec: podOf(container, pod) }
  const body = { metadata: { namespace, name }, spec: { selector: { matchLabels }, template } }
  return cluster.client.apply(deployments, body, { fieldManager: 'test', force: true, fieldValidation: 'Strict' })
}
const created = (name: string, container: object = {}, spec: object = {}, place = namespace): Promise<unknown> => {
  const body = { metadata: { namespace: place, name }, spec: { ...spec, template: { spec: podOf(container, { restartPolicy: 'Never' }) } } }
  return cluster.client.create(jobs, body as never, { fieldManager: 'test', fieldValidation: 'Strict' })
}
const resourceOf = (group: string, kind: string, plural: string, namespaced = false): Resource<KubeObject> => ({
  group,
  version: 'v1',
  kind,
  plural,
  namespaced,
})
const worker = 'spec.template.spec.containers[name="worker"]'

describe('an apply that its author has to correct', () => {
  const variable = (name: string, value: unknown) => ({ name, value })
  it.each<[string, object, object, string]>([
    ['a variable twice', { env: [variable('A', '1'), variable('A', '2')] }, {}, `keep one entry with name="A" in ${worker}.env`],
    ['a port twice', { ports: [{ containerPort: 1 }, { containerPort: 1 }] }, {}, 'keep one entry with containerPort=1,protocol="TCP"'],
    ['a volume twice', {}, { volumes: [variable('v', undefined), variable('v', undefined)] }, 'keep one entry with name="v"'],
    ['no such field', { imag: 'x' }, {}, `correct the name ${worker}.imag`],
    ['a number for text', { args: [8080] }, {}, `write ${worker}.args[0] as text, in quotes: "8080"`],
    [
      'text for a number',
      { ports: [{ containerPort: '80' }] },
      {},
      `write ${worker}.ports[containerPort="80",protocol="TCP"].containerPort as a number`,
    ],
    ['a word for true', {}, { hostNetwork: 'yes' }, 'write spec.template.spec.hostNetwork as true or false'],
    ['a map for a list', { env: { A: '1' } }, {}, `write ${worker}.env as a list`],
    ['a wrong unit', { resources: { limits: { memory: '512mb' } } }, {}, 'write quantities such as'],
    ['a value that is not supported', { imagePullPolicy: 'Sometimes' }, {}, 'correct spec.template.spec.containers[0].imagePullPolicy'],
  ])('%s', async (_, container, pod, next) => {
    const refusal = await refusalOf(applied('wrong', container, pod))
    expect(refusal).toMatchObject({ kind: 'Invalid', actor: 'Author', retry: 'OnEdit' })
    expect(describeRefusal(refusal)).toContain(`Next: ${next}`)
  })

  it('what etcd does not take is too large', async () => {
    const refusal = await refusalOf(applied('large', { env: [variable('A', 'x'.repeat(2_000_000))] }))
    expect(refusal).toMatchObject({ kind: 'TooLarge', actor: 'Author', retry: 'OnEdit' })
  })
})

describe('a create that its author has to correct', () => {
  it.each<[string, object, object, string]>([
    ['no such field', { arg: [] }, {}, 'correct the name spec.template.spec.containers[0].arg'],
    ['a number for text', { args: [8080] }, {}, 'write spec.template.spec.containers.args as text'],
    ['text for a number', {}, { backoffLimit: '2' }, 'write spec.backoffLimit as a number'],
    ['a negative number', {}, { backoffLimit: -1 }, 'correct spec.backoffLimit'],
    ['a wrong unit', { resources: { limits: { memory: '512mb' } } }, {}, 'write quantities such as'],
  ])('%s', async (_, container, spec, next) => {
    const refusal = await refusalOf(created('wrong', container, spec))
    expect(refusal).toMatchObject({ kind: 'Invalid', actor: 'Author', retry: 'OnEdit' })
    expect(describeRefusal(refusal)).toContain(`Next: ${next}`)
  })
})

describe('an answer that is not about the object', () => {
  const policies = resourceOf('admissionregistration.k8s.io', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies')
  const bindings = resourceOf('admissionregistration.k8s.io', 'ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings')
  const hooks = resourceOf('admissionregistration.k8s.io', 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations')
  const quotas = resourceOf('', 'ResourceQuota', 'resourcequotas', true)
  const make = (resource: Resource<KubeObject>, object: object) =>
    cluster.client.create(resource, object as never, { fieldManager: 'test' })
  const rules = (resources: readonly string[]) => [{ apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources }]
  const here = (place: string) => ({ matchLabels: { 'kubernetes.io/metadata.name': place } })
  /** A rule counts once the server has seen it. */
  const untilRefused = (kind: RefusalKind, place: string) =>
    expect
      .poll(
        () =>
          created(`p${Math.random().toString(36).slice(2)}`, {}, {}, place).then(
            () => 'Accepted',
            (error: unknown) => classifyRefusal(error).kind,
          ),
        {
          timeout: 30_000,
        },
      )
      .toBe(kind)

  it.each(['Invalid', 'Forbidden', 'RequestEntityTooLarge'])('a policy that denies with %s', async (reason) => {
    const place = await cluster.createNamespace(`policy-${reason.toLowerCase()}`)
    const name = place
    const constraints = { namespaceSelector: here(place), resourceRules: rules(['jobs']) }
    const validations = [{ expression: 'false', message: 'images must come from registry.acme.dev', reason }]
    await make(policies, { metadata: { name }, spec: { failurePolicy: 'Fail', matchConstraints: constraints, validations } })
    await make(bindings, { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } })
    await untilRefused('Policy', place)
    const refusal = await refusalOf(created('denied', {}, {}, place))
    expect(refusal).toMatchObject({ actor: 'Author', retry: 'Later' })
    expect(describeRefusal(refusal)).toContain('images must come from registry.acme.dev')
    await Promise.all([cluster.client.delete(bindings, undefined, name), cluster.client.delete(policies, undefined, name)])
  })

  it('a webhook that does not answer', async () => {
    const place = await cluster.createNamespace('webhook')
    const clientConfig = { url: 'https://127.0.0.1:1/x' }
    const hook = { name: 'hook.acme.dev', sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Fail', timeoutSeconds: 2 }
    await make(hooks, {
      metadata: { name: place },
      webhooks: [{ ...hook, clientConfig, namespaceSelector: here(place), rules: rules(['jobs']) }],
    })
    await untilRefused('PolicyUnavailable', place)
    expect(await refusalOf(created('denied', {}, {}, place))).toMatchObject({ actor: 'Administrator', retry: 'Later' })
    await cluster.client.delete(hooks, undefined, place)
  })

  it('a quota', async () => {
    const place = await cluster.createNamespace('quota')
    await make(quotas, { metadata: { namespace: place, name: 'q' }, spec: { hard: { 'count/jobs.batch': '0' } } })
    await untilRefused('Quota', place)
  })

  it('a namespace that is being deleted, or does not exist', async () => {
    const place = await cluster.createNamespace('going')
    const matchLabels = { app: 'held' }
    const spec = { selector: { matchLabels }, template: { metadata: { labels: matchLabels }, spec: podOf({}) } }
    const metadata = { namespace: place, name: 'held', finalizers: ['acme.dev/held'] }
    await cluster.client.apply(deployments, { metadata, spec }, { fieldManager: 'test' })
    await cluster.client.delete(namespaces, undefined, place)
    await observe(cluster.client, namespaces, { name: place }, (object) => object?.metadata.deletionTimestamp !== undefined)
    expect(await refusalOf(created('late', {}, {}, place))).toMatchObject({ kind: 'NamespaceGone', retry: 'Never' })
    await cluster.client.apply(
      deployments,
      { metadata: { namespace: place, name: 'held' }, spec },
      {
        fieldManager: 'test',
        force: true,
      },
    )
    expect(await refusalOf(created('late', {}, {}, 'nowhere-at-all'))).toMatchObject({ kind: 'NamespaceGone', retry: 'Never' })
  })

  it('a name that is taken, a version that is old, an object that was replaced', async () => {
    await created('twice')
    expect(await refusalOf(created('twice'))).toMatchObject({ kind: 'AlreadyExists' })
    await applied('versions', {})
    const old = { metadata: { namespace, name: 'versions', resourceVersion: '1' }, spec: { replicas: 1 } }
    expect(await refusalOf(cluster.client.apply(deployments, old, { fieldManager: 'other' }))).toMatchObject({
      kind: 'Conflict',
      retry: 'AtOnce',
    })
    for (const name of ['versions', 'never-there']) {
      const replaced = { metadata: { namespace, name, uid: 'another' }, spec: { replicas: 1 } }
      expect(await refusalOf(cluster.client.apply(deployments, replaced, { fieldManager: 'other' }))).toMatchObject({ kind: 'Gone' })
    }
  })

  it('a field that another manager owns', async () => {
    await applied('owned', {})
    const theirs = { metadata: { namespace, name: 'owned' }, spec: { template: { spec: podOf({ image: 'y' }) } } }
    const refusal = await refusalOf(cluster.client.apply(deployments, theirs, { fieldManager: 'other' }))
    expect(refusal.kind).toBe('OwnedElsewhere')
    expect(describeRefusal(refusal)).toContain(`${worker}.image: field manager "test" owns it`)
  })
})
