import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { run } from '../../hack/cluster/command.ts'
import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { type JsonSchema, kinds } from '../../src/api/index.ts'
import { tools } from '../chart/helm.ts'
import { ask } from './api-answer.ts'
import { type BadValue, badValues, fieldsWithRules, schemaAt, setAt, without } from './api-bad-values.ts'
import { type Good, type KindCase, kindCases } from './api-kinds/index.ts'
import { refusable } from './api-refusable.ts'

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
  for (const { kind, full, least, alternatives = [], besides = [] } of kindCases) {
    const good = new Set<Good>([full, least.object, ...besides, ...alternatives.map(({ object }) => object)])
    await Promise.all([...good].map((object) => create(kind.plural, object)))
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

describe.each(kindCases)('the defaults of a $kind.kind', ({ kind: { plural }, full, least }) => {
  it('fill in the least that can be written', async () => {
    const { body } = await ask(cluster, 'GET', `${group}/${plural}/${least.object.metadata.name}`)
    expect({ spec: body.spec, status: body.status }).toEqual({ spec: least.spec, status: { observedGeneration: -1 } })
  })

  it('leave all that was written as it is', async () => {
    expect((await ask(cluster, 'GET', `${group}/${plural}/full`)).body.spec).toEqual(full.spec)
  })
})

describe('defaults', () => {
  it('fill in what is missing beside what was written', async () => {
    const { body } = await ask(cluster, 'POST', `${group}/workerpools?dryRun=All`, {
      apiVersion: 'taskmill.dev/v1alpha1',
      kind: 'WorkerPool',
      metadata: { name: 'partly' },
      spec: {
        queues: [{ name: 'email' }],
        template: { spec: { containers: [{ name: 'worker' }] } },
        brokerRef: {},
        scaling: { maxReplicas: 3, behavior: {} },
      },
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
})

describe.each(kindCases)('bad values of a $kind.kind are refused with the field', (tried) => {
  it.each(badSpecs(tried))('$title', ({ field, change, object }) => refuses(tried, 'POST', field, change, object))
  it.each(badStatuses(tried))('$title', ({ field, change }) => refuses(tried, 'PUT /status', field, change))
})

describe('bounds themselves are good values', () => {
  it.each(kindCases.flatMap(valuesAtBounds))('$plural $title', async ({ plural, full, path, value }) => {
    const object = renamed(full)
    setAt(object, path, value)
    const { status, body } = await ask(cluster, 'POST', `${group}/${plural}?dryRun=All`, object)
    expect([status, body.message]).toEqual([201, undefined])
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
    // A pool without a scale is no error either.
    expect(await ask(cluster, 'GET', `${group}/workerpools/target/scale`)).toMatchObject({ status: 200 })
  })
})

describe('patterns and rules', () => {
  it.each(kindCases)('of a $kind.kind are all tried here', ({ kind, words }) => {
    const declared = [...fieldsWithRules(kind.spec.json, ['spec']), ...fieldsWithRules(kind.status.json, ['status'])]
    expect(new Set(words.map(({ field }) => field))).toEqual(new Set(declared))
  })

  it.each(
    kindCases.flatMap((tried) =>
      tried.words.flatMap(({ field, at = field, values, named = field }) =>
        values.map((value) => ({ tried, title: `${tried.kind.plural} ${at} = ${JSON.stringify(value)}`, at, value, named })),
      ),
    ),
  )('$title is refused', async ({ tried, at, value, named }) => {
    const path = at.split(/\.|(?=\[)/u).map((step) => (step.startsWith('[') ? Number(step.slice(1, -1)) : step))
    await refuses(tried, at.startsWith('status') ? 'PUT /status' : 'PUT', named, (object) => setAt(object, path, value))
  })

  it.each(['redis:6379', 'redis.redis.svc.cluster.local:1', '10.0.0.7:65535', '[fd00::7]:6379', 'my_redis:6379'])(
    'the address %s is good, and may change',
    async (address) => {
      const stored = (await ask(cluster, 'GET', `${group}/taskbrokers/full`)).body
      const changed = { ...stored, spec: { ...stored.spec, standalone: { address } } }
      expect(await ask(cluster, 'PUT', `${group}/taskbrokers/full?dryRun=All`, changed)).toMatchObject({ status: 200 })
    },
  )

  it('keep names short enough to be the value of a label', async () => {
    for (const { kind, full } of kindCases) {
      const name = 'a'.repeat(kind.nameMaxLength + 1)
      const answer = await ask(cluster, 'POST', `${group}/${kind.plural}?dryRun=All`, { ...full, metadata: { name } })
      expect([answer.status, answer.body.message]).toEqual([422, expect.stringContaining('metadata.name: Too long')])
      expect(kind.nameMaxLength).toBeLessThanOrEqual(63)
    }
  })
})

const badManifests = kindCases.flatMap((each) => each.badManifests)

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

  it.each(kindCases)('shows of a $kind.kind what one asks at 3 a.m.', async ({ kind, columns }) => {
    const [heading, row] = (await kubectl('get', kind.shortNames[0] ?? kind.plural, 'full')).split('\n').map((line) => line.trim())
    expect(heading?.split(/\s+/u)).toEqual(columns.heading)
    expect(row).toMatch(columns.row ?? /^full /u)
  })

  it('shows all of Taskmill at once', async () => {
    const all = await kubectl('get', 'taskmill', '--output=name')
    expect(
      new Set(
        all
          .trim()
          .split('\n')
          .map((name) => name.split('.')[0]),
      ),
    ).toEqual(new Set(kinds.map(({ singular }) => singular)))
  })
})

/** Of each field one object shows it: `full`, or the one of its alternative. */
function badSpecs({ kind, full, alternatives = [] }: KindCase): readonly (BadValue & { readonly object: Good })[] {
  const rest = without(
    kind.spec.json,
    alternatives.map(({ path }) => path.slice(1)),
  )
  return [
    ...badValues(rest, full.spec, ['spec']).map((bad) => ({ ...bad, object: full })),
    ...alternatives.flatMap(({ path, object }) =>
      badValues(schemaAt(kind.spec.json, path.slice(1)), valueAt(object, path), path).map((bad) => ({ ...bad, object })),
    ),
  ]
}

/** The API server ignores a status that is no object: nothing was said then. */
function badStatuses({ kind, full }: KindCase): readonly BadValue[] {
  return badValues(kind.status.json, full.status, ['status']).filter(
    ({ field, title }) => !(field === 'status' && title.endsWith('of another type')),
  )
}

function valueAt(object: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, step) => Reflect.get(Object(value), step), object)
}

async function create(plural: string, { status, ...object }: Good): Promise<void> {
  const created = await ask(cluster, 'POST', `${group}/${plural}?fieldValidation=Strict`, object)
  expect([created.status, created.body.message]).toEqual([201, undefined])
  if (status === undefined) return
  const place = `${group}/${plural}/${object.metadata.name}/status`
  const written = await ask(cluster, 'PUT', `${place}?fieldValidation=Strict`, { ...created.body, status })
  expect([written.status, written.body.message]).toEqual([200, undefined])
}

/** Makes a good object bad, as a new one, as a change of its spec or of its status, and wants an answer that names the field. */
async function refuses(
  { kind, full }: KindCase,
  how: 'POST' | 'PUT' | 'PUT /status',
  field: string,
  change: (object: object) => void,
  good: Good = full,
): Promise<void> {
  const isNew = how === 'POST'
  const object = isNew ? renamed(good) : (await ask(cluster, 'GET', `${group}/${kind.plural}/full`)).body
  change(object)
  const [method = '', subresource = ''] = how.split(' ')
  const place = `${group}/${kind.plural}${isNew ? '' : '/full'}${subresource}`
  const answer = await ask(cluster, method, `${place}?dryRun=All&fieldValidation=Strict`, object)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  expect(answer.body.message).toContain(field)
}

function renamed<T extends { readonly metadata: object }>(object: T): T {
  return { ...structuredClone(object), metadata: { name: 'other' } }
}

function valuesAtBounds({ kind, full, alternatives = [] }: KindCase) {
  const schema = without(
    kind.spec.json,
    alternatives.map(({ path }) => path.slice(1)),
  )
  return atBounds(schema, full.spec, ['spec']).map(([field, value, path]) => ({
    plural: kind.plural,
    title: `${field} = ${value}`,
    full,
    path,
    value,
  }))
}

function atBounds(schema: JsonSchema, good: unknown, path: readonly string[]): readonly (readonly [string, number, readonly string[]])[] {
  const own = [schema.minimum, schema.maximum].filter((value) => value !== undefined).map((value) => [path.join('.'), value, path] as const)
  const children = Object.entries(schema.properties ?? {}).filter(([name]) => Reflect.has(Object(good), name))
  return [...own, ...children.flatMap(([name, child]) => atBounds(child, Reflect.get(Object(good), name), [...path, name]))]
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
