/**
 * The offline validator and the defaults against the API server itself, on objects that fast-check makes from the schemas, as they are and
 * with one thing made wrong: both admit or both refuse, naming the same fields. The seed is printed; SEED=… repeats the objects.
 */
import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { waitUntil } from '../../hack/cluster/api-request.ts'
import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { createValidator, buildCrd, type Kind, withDefaults } from '../../src/api/index.ts'
import { evaluateRule } from '../../src/expressions/index.ts'
import { lint } from '../../src/lint/index.ts'
import { draws, seed } from '../support/draws.ts'
import { ask } from './api-answer.ts'
import { badValues } from './api-bad-values.ts'
import { valueOf } from './api-generated.ts'
import { type Good, kindCases } from './api-kinds/index.ts'
import { fullProbe, probe } from './api-probe.ts'

type Full = Good & { readonly status: object }
type Refusal = { readonly details?: { readonly causes?: readonly { readonly field: string }[] } }

const group = '/apis/taskmill.dev/v1alpha1/namespaces/default'
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const strictly = 'dryRun=All&fieldValidation=Strict'
const runs = draws(40, 400)
const validate = createValidator({ evaluateRule })
const cases: readonly (readonly [string, Kind, Full])[] = [
  ...kindCases.map(({ kind, full }) => [kind.kind, kind, full] as const),
  ['Probe', probe, fullProbe],
]
const count = { admitted: 0, refused: 0 }

let cluster: ControlPlane

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  cluster = await startControlPlane({ controllerManager: false })
  for (const [, kind, full] of cases) {
    const crd: unknown = kind === probe ? buildCrd(probe) : parse(await readFile(`crds/${kind.plural}.taskmill.dev.yaml`, 'utf8'))
    const created = await ask(cluster, 'POST', `${crds}?fieldValidation=Strict`, crd)
    expect([created.status, created.body.message]).toEqual([201, undefined])
    const path = `${group}/${kind.plural}`
    await waitUntil(kind.kind, 20_000, async () => (await ask(cluster, 'GET', path)).status === 200)
    expect(await ask(cluster, 'POST', `${path}?fieldValidation=Strict`, full)).toMatchObject({ status: 201 })
    const stored = (await ask(cluster, 'GET', `${path}/full`)).body
    expect(await ask(cluster, 'PUT', `${path}/full/status`, { ...stored, status: full.status })).toMatchObject({ status: 200 })
  }
})

afterAll(async () => {
  console.log(`${count.admitted} objects admitted, ${count.refused} refused`)
  await cluster?.stop()
})

describe.each(cases)('%s', (_, kind, full) => {
  const specs = valueOf(kind.spec.json, 'spec')

  it('is judged as the API server judges it when it is created', async () => {
    await forAll(specs, kind, 'spec', (spec) => {
      const { apiVersion } = full
      return { method: 'POST', place: '', object: { apiVersion, kind: kind.kind, metadata: { name: 'new' }, spec }, part: 'spec' }
    })
  })

  it('is judged as the API server judges it with each thing made wrong that the schema bounds', async () => {
    for (const { title, change } of badValues(kind.spec.json, Reflect.get(full, 'spec'), ['spec'], 'skip')) {
      const object = { ...structuredClone(full), metadata: { name: 'new' } }
      change(object)
      await agrees(kind, { method: 'POST', place: '', object, part: 'spec' }, title)
    }
  })

  it('is judged as the API server judges it when it is changed', async () => {
    const stored = (await ask(cluster, 'GET', `${group}/${kind.plural}/full`)).body
    await forAll(changesOf(specs, stored.spec), kind, 'spec', (spec) => {
      return { method: 'PUT', place: '/full', object: { ...stored, spec }, oldObject: stored, part: 'spec' }
    })
  })

  it('is judged as the API server judges it when its status is written', async () => {
    const stored = (await ask(cluster, 'GET', `${group}/${kind.plural}/full`)).body
    await forAll(valueOf(kind.status.json, 'status'), kind, 'status', (status) => {
      return { method: 'PUT', place: '/full/status', object: { ...stored, status }, oldObject: stored, part: 'status' }
    })
  })
})

it('tried objects of both sorts, and enough of them', () => {
  expect(count.admitted).toBeGreaterThan(100)
  expect(count.refused).toBeGreaterThan(300)
})

type Trial = {
  readonly method: 'POST' | 'PUT'
  readonly place: string
  readonly object: object
  readonly oldObject?: object
  readonly part: 'spec' | 'status'
}

/** Each value as it is, and then with one thing made wrong that chance picks among everything that the schema bounds. */
async function forAll(
  values: fc.Arbitrary<unknown>,
  kind: Kind,
  part: 'spec' | 'status',
  trialOf: (value: unknown) => Trial,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(values, fc.nat(), async (value, choice) => {
      await agrees(kind, trialOf(value))
      const faults = badValues(kind[part].json, value, [part], 'skip').filter(({ title }) => !title.startsWith('status of another type'))
      const fault = faults[choice % faults.length]
      const trial = trialOf(value)
      const bad = structuredClone(trial.object)
      fault?.change(bad)
      await agrees(kind, { ...trial, object: bad }, fault?.title)
    }),
    { seed, numRuns: runs },
  )
}

/** One request and one call of the validator, with the same answer. */
async function agrees(kind: Kind, { method, place, object, oldObject, part }: Trial, fault?: string): Promise<void> {
  const answer = await ask<{ readonly spec: unknown; readonly status: unknown } & Refusal>(
    cluster,
    method,
    `${group}/${kind.plural}${place}?${strictly}`,
    object,
  )
  const problems = validate(kind, object, oldObject)
  const unknown = problems.filter(({ message }) => message.startsWith('is not a known field'))
  const said = (unknown.length > 0 ? unknown : problems).map(({ path }) => path)
  const refused = answer.status >= 400
  if (method === 'POST' && kind !== probe) {
    const written = stringify(object, { version: '1.1', aliasDuplicateObjects: false })
    // Lint may find more: what a controller would not understand.
    const found = new Set(
      lint([{ path: 'a.yaml', text: written, isNamed: true }], { isComplete: false }).findings.map((each) => each.field),
    )
    expect(new Set([...found, ...problems.map(({ path }) => path)]), written).toEqual(found)
    if (refused) expect(found.size, written).toBeGreaterThan(0)
  }
  count[refused ? 'refused' : 'admitted'] += 1
  expect(new Set(said), `${fault ?? 'as it is'}: ${answer.body.message}`).toEqual(fieldsOf(answer))
  if (fault !== undefined) expect([fault, refused]).toEqual([fault, true])
  if (!refused) expect(Reflect.get(withDefaults(kind, object as never), part)).toEqual(answer.body[part])
}

/** The fields that a refusal names: one by one where the object was read, in the message where it has unknown fields. */
function fieldsOf({ status, body }: Awaited<ReturnType<typeof ask<Refusal>>>): ReadonlySet<string> {
  if (status < 400) return new Set()
  // With a leading dot the scale subresource complains as well, of what the schema has refused.
  const isOwn = (field: string): boolean => field !== '<nil>' && !field.startsWith('.')
  const causes = body.details?.causes?.map(({ field }) => field).filter(isOwn) ?? []
  const unknown = Array.from((body.message ?? '').matchAll(/unknown field "([^"]+)"/gu), ([, field = '']) => field)
  expect(causes.length + unknown.length, body.message).toBeGreaterThan(0)
  return new Set([...causes, ...unknown])
}

/** Changes of some fields of what is stored, so that a field that cannot be changed does not spoil every one of them. */
function changesOf(specs: fc.Arbitrary<unknown>, stored: object): fc.Arbitrary<unknown> {
  return fc.tuple(specs, fc.func(fc.boolean())).map(([spec, taken]) => ({
    ...stored,
    ...Object.fromEntries(Object.entries(Object(spec)).filter(([field]) => taken(field))),
  }))
}
