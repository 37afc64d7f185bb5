import { describe, expect, it } from 'vitest'
import { type FieldSet, type ManagedFieldsEntry, planTakeover, type Reach } from './field-ownership.ts'

const owners = { applier: 'taskmill-worker-pool', others: ['taskmill-replicas'] }
const inPod = (fields: FieldSet): FieldSet => ({ 'f:spec': { 'f:template': { 'f:spec': fields } } })
const inWorker = (fields: FieldSet): FieldSet => inPod({ 'f:containers': { 'k:{"name":"worker"}': fields } })
const held = (manager: string, fieldsV1: FieldSet, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  fieldsV1,
  ...more,
})
const ours = (fieldsV1: FieldSet = inWorker({ '.': {}, 'f:image': {}, 'f:name': {} })) =>
  held('taskmill-worker-pool', fieldsV1, { operation: 'Apply' })
const entry = (field: string): FieldSet => ({ '.': {}, 'f:name': {}, [field]: {} })
const variable = (name: string, field = 'f:value'): FieldSet => ({ [`k:{"name":"${name}"}`]: entry(field) })
const podOf = (worker: object, pod: object = {}): object => ({ containers: [{ name: 'worker', ...worker }], ...pod })

const plan = (managed: readonly ManagedFieldsEntry[], pod: object, reach: Reach = 'Entries') => planTakeover(managed, owners, pod, reach)
const fieldsOf = (managed: readonly ManagedFieldsEntry[] | undefined, manager: string): FieldSet | undefined =>
  managed?.find((each) => each.manager === manager)?.fieldsV1

describe('Entries', () => {
  it('a variable that the template declares changes hands, and one that it does not declare stays', () => {
    const set = held('kubectl-set', inWorker({ 'f:env': { ...variable('X'), ...variable('Y') } }))
    const takeover = plan([ours(), set], podOf({ env: [{ name: 'X', valueFrom: {} }] }))
    expect(takeover?.from).toEqual([{ manager: 'kubectl-set', fields: ['containers[worker].env[X]'] }])
    expect(fieldsOf(takeover?.managedFields, 'kubectl-set')).toEqual(inWorker({ 'f:env': variable('Y') }))
    expect(fieldsOf(takeover?.managedFields, 'taskmill-worker-pool')).toEqual(
      inWorker({ '.': {}, 'f:image': {}, 'f:name': {}, 'f:env': variable('X') }),
    )
  })

  it('an entry of managedFields that becomes empty goes', () => {
    const takeover = plan([ours(), held('kubectl-set', inWorker({ 'f:env': variable('X') }))], podOf({ env: [{ name: 'X' }] }))
    expect(takeover?.managedFields.map(({ manager }) => manager)).toEqual(['taskmill-worker-pool'])
  })

  it.each<[string, FieldSet, object, string]>([
    [
      'a port, whose protocol the template leaves out',
      inWorker({ 'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': entry('f:hostPort') } }),
      podOf({ ports: [{ containerPort: 80 }] }),
      'containers[worker].ports[80/TCP]',
    ],
    [
      'a volume',
      inPod({ 'f:volumes': { 'k:{"name":"w"}': entry('f:emptyDir') } }),
      podOf({}, { volumes: [{ name: 'w', secret: {} }] }),
      'volumes[w]',
    ],
    [
      'a mount',
      inWorker({ 'f:volumeMounts': { 'k:{"mountPath":"/w"}': entry('f:subPath') } }),
      podOf({ volumeMounts: [{ name: 'v', mountPath: '/w' }] }),
      'containers[worker].volumeMounts[/w]',
    ],
    [
      'a variable of an init container',
      inPod({ 'f:initContainers': { 'k:{"name":"migrate"}': { 'f:env': variable('X') } } }),
      podOf({}, { initContainers: [{ name: 'migrate', env: [{ name: 'X' }] }] }),
      'initContainers[migrate].env[X]',
    ],
  ])('%s', (_, fields, pod, name) => {
    expect(plan([ours(), held('kubectl-edit', fields)], pod)?.from).toEqual([{ manager: 'kubectl-edit', fields: [name] }])
  })

  it.each<[string, ManagedFieldsEntry]>([
    ['of another entry', held('kubectl-set', inWorker({ 'f:env': variable('Y') }))],
    ['of our replicas', held('taskmill-replicas', inWorker({ 'f:env': variable('X') }))],
    ['of the status', held('kube-controller-manager', inWorker({ 'f:env': variable('X') }), { subresource: 'status' })],
    [
      'of a container that the template does not declare',
      held('x', inPod({ 'f:containers': { 'k:{"name":"side"}': { 'f:env': variable('X') } } })),
    ],
    ['of the container itself', held('kubectl-set', inWorker({ 'f:image': {}, 'f:resources': { 'f:limits': { 'f:memory': {} } } }))],
    ['outside of the pod', held('kubectl-rollout', { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { 'f:a': {} } } } } })],
    ['without fields', { manager: 'x', operation: 'Update' }],
  ])('takes nothing %s', (_, other) => {
    expect(plan([ours(), other], podOf({ env: [{ name: 'X' }] }))).toBeUndefined()
  })
})

describe('the wider reaches', () => {
  const other = held('kubectl-set', {
    ...inPod({
      'f:containers': {
        'k:{"name":"worker"}': { 'f:resources': { 'f:limits': { 'f:memory': {} } }, 'f:env': variable('Y') },
        'k:{"name":"side"}': entry('f:image'),
      },
      'f:hostNetwork': {},
    }),
    'f:metadata': { 'f:labels': { 'f:team': {} } },
  })

  it('Containers takes fields of declared containers and of the pod, and leaves what others added', () => {
    const takeover = plan([ours(), other], podOf({ resources: {} }), 'Containers')
    expect(takeover?.from).toEqual([{ manager: 'kubectl-set', fields: ['containers[worker].resources.limits.memory', 'hostNetwork'] }])
    expect(fieldsOf(takeover?.managedFields, 'kubectl-set')).toEqual({
      ...inPod({ 'f:containers': { 'k:{"name":"worker"}': { 'f:env': variable('Y') }, 'k:{"name":"side"}': entry('f:image') } }),
      'f:metadata': { 'f:labels': { 'f:team': {} } },
    })
  })

  it("All takes the whole pod's spec and nothing outside of it", () => {
    const takeover = plan([ours(), other], podOf({}), 'All')
    expect(fieldsOf(takeover?.managedFields, 'kubectl-set')).toEqual({ 'f:metadata': { 'f:labels': { 'f:team': {} } } })
  })

  it('a template that was never applied gets an entry of its own', () => {
    const takeover = plan([other], podOf({}), 'All')
    expect(takeover?.managedFields).toContainEqual(expect.objectContaining({ manager: 'taskmill-worker-pool', operation: 'Apply' }))
  })
})
