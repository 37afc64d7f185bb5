import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { run } from '../../hack/cluster/command.ts'
import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { type JsonSchema, type Kind, kinds, taskBroker, taskSchedule, workerPool } from '../../src/api/index.ts'
import { tools } from '../chart/helm.ts'
import { ask } from './api-answer.ts'
import { badManifests, refusable } from './api-bad-manifests.ts'
import { type BadValue, badValues, fieldsWithRules, setAt } from './api-bad-values.ts'
import { fullBroker, fullPool, fullSchedule, leastBroker, leastPool, leastSchedule, targetPool } from './api-objects.ts'

const root = join(import.meta.dirname, '../..')
const group = '/apis/taskmill.dev/v1alpha1/namespaces/default'
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

type Established = { readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] } }

let cluster: ControlPlane

beforeAll(async () => {
  cluster = await startControlPlane({ controllerManager: false })
  for (const { plural } of kinds) {
    const crd: unknown = parse(await readFile(join(root, `crds/${plural}.taskmill.dev.yaml`), 'utf8'))
    expect(await ask(cluster, 'POST', `${crds}?fieldValidation=Strict`, crd)).toMatchObject({ status: 201 })
  }
  await waitUntil('the kinds', 20_000, async () =>
    (await Promise.all(kinds.map(({ plural }) => ask(cluster, 'GET', `${group}/${plural}`)))).every(({ status }) => status === 200),
  )
  for (const [plural, full] of [
    ['taskbrokers', fullBroker],
    ['workerpools', fullPool],
    ['workerpools', targetPool],
    ['taskschedules', fullSchedule],
  ] as const) {
    const { name } = full.metadata
    expect(await ask(cluster, 'POST', `${group}/${plural}?fieldValidation=Strict`, full)).toMatchObject({ status: 201 })
    const stored = (await ask(cluster, 'GET', `${group}/${plural}/${name}`)).body
    expect(
      await ask(cluster, 'PUT', `${group}/${plural}/${name}/status?fieldValidation=Strict`, { ...stored, status: full.status }),
    ).toMatchObject({ status: 200 })
  }
})

afterAll(() => cluster?.stop())

describe('the CRDs', () => {
  it.each(kinds.map(({ plural }) => plural))('%s is Established, structural, and its names are accepted', async (plural) => {
    const { body } = await ask<Established>(cluster, 'GET', `${crds}/${plural}.taskmill.dev`)
    const conditions = Object.fromEntries(body.status.conditions.map(({ type, status }) => [type, status]))
    expect(conditions).toMatchObject({ Established: 'True', NamesAccepted: 'True' })
    expect(conditions).not.toHaveProperty('NonStructuralSchema')
  })
})

describe('defaults', () => {
  it('fill in a WorkerPool of which only queues and template were written', async () => {
    const { status, body } = await ask(cluster, 'POST', `${group}/workerpools?fieldValidation=Strict`, leastPool)
    expect(status).toBe(201)
    expect({ spec: body.spec, status: body.status }).toEqual({
      spec: {
        ...leastPool.spec,
        replicas: 0,
        brokerRef: { name: 'default' },
        concurrency: 1,
        scaling: {
          mode: 'Auto',
          minReplicas: 0,
          maxReplicas: 10,
          targetBacklogPerReplica: 10,
          behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
        },
        drainTimeoutSeconds: 30,
      },
      status: { observedGeneration: -1 },
    })
  })

  it('fill in what is missing beside what was written', async () => {
    const { body } = await ask(cluster, 'POST', `${group}/workerpools?dryRun=All`, {
      ...leastPool,
      metadata: { name: 'partly' },
      spec: { ...leastPool.spec, brokerRef: {}, scaling: { maxReplicas: 3, behavior: {} } },
    })
    expect(body.spec['brokerRef']).toEqual({ name: 'default' })
    expect(body.spec['scaling']).toEqual({
      mode: 'Auto',
      minReplicas: 0,
      maxReplicas: 3,
      targetBacklogPerReplica: 10,
      behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
    })
  })

  it('fill in a TaskBroker', async () => {
    const { body } = await ask(cluster, 'POST', `${group}/taskbrokers`, leastBroker)
    expect({ spec: body.spec, status: body.status }).toEqual({
      spec: { ...leastBroker.spec, keyPrefix: 'bull', dispatch: 'Active' },
      status: { observedGeneration: -1 },
    })
  })

  it('fill in a TaskSchedule of which only the interval and the task were written', async () => {
    const { body } = await ask(cluster, 'POST', `${group}/taskschedules?fieldValidation=Strict`, leastSchedule)
    expect({ spec: body.spec, status: body.status }).toEqual({
      spec: {
        ...leastSchedule.spec,
        brokerRef: { name: 'default' },
        timeZone: 'UTC',
        suspend: false,
        concurrencyPolicy: 'Allow',
        missedRuns: 'Latest',
        missedRunsLimit: 10,
        deletionPolicy: 'Delete',
        engine: 'Taskmill',
        task: { ...leastSchedule.spec.task, retry: { maxRetries: 0, initialDelaySeconds: 10 } },
      },
      status: { observedGeneration: -1 },
    })
  })

  it('leave a payload as it was written', async () => {
    expect((await ask(cluster, 'GET', `${group}/taskschedules/full`)).body.spec).toEqual(fullSchedule.spec)
  })

  it('leave everything else of a pod template as it was written', async () => {
    expect((await ask(cluster, 'GET', `${group}/workerpools/full`)).body.spec).toEqual(fullPool.spec)
  })
})

const { targetRef, ...besideTarget } = workerPool.spec.json.properties ?? {}
const withTemplate = { ...workerPool, spec: { ...workerPool.spec, json: { ...workerPool.spec.json, properties: besideTarget } } }

const { everySeconds, ...besideInterval } = taskSchedule.spec.json.properties ?? {}
const withSchedules = { ...taskSchedule, spec: { ...taskSchedule.spec, json: { ...taskSchedule.spec.json, properties: besideInterval } } }

describe('bad values are refused with the field', () => {
  it.each(casesOf(taskBroker, fullBroker, 'spec'))('$title', ({ field, change }) => refuses('taskbrokers', 'spec', field, change))
  it.each(casesOf(withTemplate, fullPool, 'spec'))('$title', ({ field, change }) => refuses('workerpools', 'spec', field, change))
  it.each(badValues(targetRef as JsonSchema, targetPool.spec.targetRef, ['spec', 'targetRef']))('$title', ({ field, change }) =>
    refuses('workerpools', 'target', field, change),
  )
  it.each(casesOf(withSchedules, fullSchedule, 'spec'))('$title', ({ field, change }) => refuses('taskschedules', 'spec', field, change))
  it.each(badValues(everySeconds as JsonSchema, leastSchedule.spec.everySeconds, ['spec', 'everySeconds']))('$title', ({ field, change }) =>
    refuses('taskschedules', 'target', field, change),
  )
  it.each(casesOf(taskSchedule, fullSchedule, 'status'))('$title', ({ field, change }) => refuses('taskschedules', 'status', field, change))
  it.each(casesOf(taskBroker, fullBroker, 'status'))('$title', ({ field, change }) => refuses('taskbrokers', 'status', field, change))
  it.each(casesOf(workerPool, fullPool, 'status'))('$title', ({ field, change }) => refuses('workerpools', 'status', field, change))
})

describe('bounds themselves are good values', () => {
  it.each(atBounds(withTemplate.spec.json, ['spec']))('%s = %i', async (_, value, path) => {
    const pool = renamed(fullPool)
    setAt(pool, path, value)
    expect(await ask(cluster, 'POST', `${group}/workerpools?dryRun=All`, pool)).toMatchObject({ status: 201 })
  })
})

describe('bounds of a schedule are good values', () => {
  it.each(atBounds(withSchedules.spec.json, ['spec']))('%s = %i', async (_, value, path) => {
    const schedule = renamed(fullSchedule)
    setAt(schedule, path, value)
    expect(await ask(cluster, 'POST', `${group}/taskschedules?dryRun=All`, schedule)).toMatchObject({ status: 201 })
  })
})

describe('the scale subresource', () => {
  it('says what spec.replicas says, and writes it', async () => {
    const path = `${group}/workerpools/full/scale`
    type Scale = {
      readonly spec: { readonly replicas?: number }
      readonly status: { readonly replicas: number; readonly selector?: string }
    }
    const { body } = await ask<Scale>(cluster, 'GET', path)
    expect(body).toMatchObject({ spec: { replicas: 3 }, status: { replicas: 7, selector: 'taskmill.dev/pool=full' } })
    await kubectl('scale', 'wp', 'full', '--replicas=5')
    expect((await ask<Scale>(cluster, 'GET', path)).body.spec.replicas).toBe(5)
    await kubectl('scale', 'wp', 'full', '--replicas=3')
    // A pool that nobody scaled is no error either.
    expect(await ask(cluster, 'GET', `${group}/workerpools/target/scale`)).toMatchObject({ status: 200 })
  })
})

/** Each pattern and each rule, with words that it refuses. */
const words: readonly (readonly [field: string, plural: string, values: readonly unknown[], named?: string])[] = [
  ['spec.queues[0].name', 'workerpools', ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n']],
  ['spec.brokerRef.name', 'workerpools', ['Default', '-a', 'a_b']],
  ['spec.scaling', 'workerpools', [{ minReplicas: 11 }, { minReplicas: 5, maxReplicas: 4 }], 'spec.scaling.minReplicas'],
  ['spec.targetRef', 'workerpools', ['Email', '-a', 'a_b', 'a/b'].map((name) => ({ name })), 'spec.targetRef.name'],
  ['spec', 'workerpools', [{ queues: [{ name: 'a' }] }, { queues: [{ name: 'a' }], targetRef: { name: 'a' } }]],
  ...['url', 'address', 'host', 'port', 'username', 'password', 'keyPrefix'].map(
    (name) => [`spec.brokerEnv.${name}`, 'workerpools', ['A-B', '1A', 'A B', '$(A)']] as const,
  ),
  ['spec.task.queue', 'taskschedules', ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n']],
  ['spec.brokerRef', 'taskschedules', [{ name: 'other' }, undefined]],
  ['spec.brokerRef', 'workerpools', [{ name: 'other' }, undefined]],
  ['spec.keyPrefix', 'taskbrokers', ['a b', '*', 'a*', ':a', 'other', undefined]],
  [
    'spec.standalone.address',
    'taskbrokers',
    [
      'redis',
      'redis:',
      ':6379',
      'redis:0',
      'redis:65536',
      'redis:99999',
      'redis:x',
      'redis://redis:6379',
      'a b:1',
      '[::1]',
      'a:1,b:1',
      '-a:1',
    ],
  ],
  ['spec.credentialsSecretRef.name', 'taskbrokers', ['', 'Auth', 'a_b', '-a', 'a/b', '../a']],
  ['spec.tls.caSecretRef.name', 'taskbrokers', ['', 'CA', 'a/b']],
  ['spec.tls.clientCertificateSecretRef.name', 'taskbrokers', ['', 'Client', 'a/b']],
  ['spec.tls.serverName', 'taskbrokers', ['', 'a b', '-a', 'redis:6379']],
  ['status.conditions[0].type', 'workerpools', ['not a type']],
  ['status.conditions[0].reason', 'workerpools', ['not a reason', '9', 'a-b']],
]

describe('patterns and rules', () => {
  it('are all tried here', () => {
    const conditions = ['status.conditions[0].type', 'status.conditions[0].reason']
    const declared = kinds.flatMap(({ spec, status }) => [
      ...fieldsWithRules(spec.json, ['spec']),
      ...fieldsWithRules(status.json, ['status']),
    ])
    expect(new Set(declared)).toEqual(
      new Set([...words.map(([field]) => (field === 'spec.targetRef' ? `${field}.name` : field)), ...conditions]),
    )
  })

  it.each(words.flatMap(([field, plural, values, named]) => values.map((value) => [field, value, plural, named ?? field] as const)))(
    '%s = %j is refused',
    async (field, value, plural, named) => {
      const path = field.split(/\.|(?=\[)/u).map((step) => (step.startsWith('[') ? Number(step.slice(1, -1)) : step))
      await refuses(plural, field.startsWith('status') ? 'status' : 'update', named, (object) => setAt(object, path, value))
    },
  )

  it.each(['redis:6379', 'redis.redis.svc.cluster.local:1', '10.0.0.7:65535', '[fd00::7]:6379', 'my_redis:6379'])(
    'the address %s is good, and may change',
    async (address) => {
      const stored = (await ask(cluster, 'GET', `${group}/taskbrokers/full`)).body
      const changed = { ...stored, spec: { ...stored.spec, standalone: { address } } }
      expect(await ask(cluster, 'PUT', `${group}/taskbrokers/full?dryRun=All`, changed)).toMatchObject({ status: 200 })
    },
  )

  it('keep names short enough to be the value of a label', async () => {
    const answer = await ask(cluster, 'POST', `${group}/workerpools`, { ...leastPool, metadata: { name: 'a'.repeat(64) } })
    expect([answer.status, answer.body.message]).toEqual([422, expect.stringContaining('metadata.name: Too long')])
  })
})

type Manifest = { readonly kind: string; readonly metadata: { readonly name: string }; readonly status?: unknown }

describe('bad manifests', () => {
  it('are written for every rule, every enum and everything that cannot be changed', () => {
    const written = badManifests.map(({ manifest, answer }) => ({ kind: (parse(manifest) as Manifest).kind, answer }))
    const forgotten = refusable.filter(
      ({ kind, field, words: said }) =>
        !written.some((bad) => bad.kind === kind && bad.answer.startsWith(`${field}: `) && bad.answer.includes(said)),
    )
    expect(forgotten).toEqual([])
    expect(refusable.length).toBeGreaterThan(0)
  })

  it.each(badManifests)('$title is refused in words', async ({ manifest, answer }) => {
    const object = parse(manifest) as Manifest
    const plural = kinds.find(({ kind }) => kind === object.kind)?.plural
    const place = `${object.metadata.name}${object.status === undefined ? '' : '/status'}`
    const query = 'fieldManager=somebody&force=true&dryRun=All&fieldValidation=Strict'
    const { status, body } = await ask(cluster, 'PATCH', `${group}/${plural}/${place}?${query}`, object)
    expect([status, body.message]).toEqual([422, expect.stringContaining(answer)])
  })
})

describe('kubectl', () => {
  it.each(
    kinds.flatMap((kind) => explained(kind.plural, kind.spec.json, 'spec').concat(explained(kind.plural, kind.status.json, 'status'))),
  )('explains %s', async (path, schema) => {
    const said = (await kubectl('explain', path)).replaceAll(/\s+/gu, ' ')
    for (const child of [schema, ...Object.values(schema.properties ?? {})]) expect(said).toContain(child.description)
  })

  it('says bounds and defaults, which OpenAPI knows and kubectl does not print', async () => {
    expect(await kubectl('explain', 'wp.spec.scaling.maxReplicas')).toContain('From 1 to 10000, default 10.')
  })

  it('shows what one asks at 3 a.m.', async () => {
    const [head, row] = (await kubectl('get', 'wp', 'full'))
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/u))
    expect(head).toEqual(['NAME', 'READY', 'DESIRED', 'BUSY', 'BACKLOG', 'OLDEST', 'MODE', 'REASON', 'AGE'])
    expect(row?.slice(0, 5)).toEqual(['full', '5/7', '7', '18/20', '312'])
    expect(row?.[5]).toMatch(/^\d+[smhd]/u)
    expect((await kubectl('get', 'tmb', 'full')).split('\n')[0]).toMatch(/^NAME +REACHABLE +VERSION +MEMORY +EVICTION +DISPATCH +AGE/u)
    const schedules = (await kubectl('get', 'tsch', 'full')).trim().split('\n')
    expect(schedules[0]).toMatch(/^NAME +SCHEDULE +TZ +ACTIVE +LAST +RESULT +FAILS +NEXT +REASON$/u)
    expect(schedules[1]).toMatch(
      /^full +0 1 \* \* 0; @daily +Europe\/Berlin +0 +\d+[smhdy]\S* +Failed +3 +2026-11-29T00:00Z +AttemptsExhausted$/u,
    )
    const all = await kubectl('get', 'taskmill', '--output=name')
    expect(all.trim().split('\n').toSorted()).toEqual(
      [
        ...['full', 'least'].flatMap((name) => [
          `taskbroker.taskmill.dev/${name}`,
          `workerpool.taskmill.dev/${name}`,
          `taskschedule.taskmill.dev/${name}`,
        ]),
        'workerpool.taskmill.dev/target',
      ].toSorted(),
    )
  })
})

function casesOf(
  kind: Pick<Kind, 'spec' | 'status'>,
  full: { spec: unknown; status: unknown },
  part: 'spec' | 'status',
): readonly BadValue[] {
  const schema = kind[part].json
  // The API server ignores a status that is no object: nothing was said then.
  return badValues(schema, full[part], [part]).filter(({ field, title }) => !(field === 'status' && title.endsWith('of another type')))
}

/** Makes the full object bad, as a new one, as a change of its spec or of its status, and wants an answer that names the field. */
async function refuses(
  plural: string,
  how: 'spec' | 'target' | 'update' | 'status',
  field: string,
  change: (object: object) => void,
): Promise<void> {
  const query = 'dryRun=All&fieldValidation=Strict'
  const isNew = how === 'spec' || how === 'target'
  const full = (how === 'target' ? otherUnionMember : fullOf)[plural]
  if (full === undefined) throw new Error(`no good object of ${plural}`)
  const object = isNew ? renamed(full) : (await ask(cluster, 'GET', `${group}/${plural}/full`)).body
  change(object)
  const place = isNew ? '' : how === 'update' ? '/full' : '/full/status'
  const answer = await ask(cluster, isNew ? 'POST' : 'PUT', `${group}/${plural}${place}?${query}`, object)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  expect(answer.body.message).toContain(field)
}

const fullOf: Readonly<Record<string, object & { readonly metadata: object }>> = {
  taskbrokers: fullBroker,
  workerpools: fullPool,
  taskschedules: fullSchedule,
}
/** What cannot be in one object with the rest. */
const otherUnionMember: typeof fullOf = { workerpools: targetPool, taskschedules: leastSchedule }

function renamed<T extends { readonly metadata: object }>(object: T): T {
  return { ...structuredClone(object), metadata: { name: 'other' } }
}

function atBounds(schema: JsonSchema, path: readonly string[]): readonly (readonly [string, number, readonly string[]])[] {
  const own = [schema.minimum, schema.maximum].filter((value) => value !== undefined).map((value) => [path.join('.'), value, path] as const)
  return [...own, ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => atBounds(child, [...path, name]))]
}

/** Every object that kubectl can explain, as its path and schema. */
function explained(plural: string, schema: JsonSchema, path: string): readonly (readonly [string, JsonSchema])[] {
  const object = schema.items ?? schema
  if (object.properties === undefined) return []
  const children = Object.entries(object.properties).flatMap(([name, child]) => explained(plural, child, `${path}.${name}`))
  return [[`${plural}.${path}`, { ...object, description: schema.description }], ...children]
}

function kubectl(...args: readonly string[]): Promise<string> {
  return run(tools.kubectl, ['--kubeconfig', cluster.kubeconfig, '--namespace', 'default', ...args])
}
