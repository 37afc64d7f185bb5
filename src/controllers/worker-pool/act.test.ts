/** How a refusal is told from a mixture with what others hold; the rest is shown on an API server by `test/integration/pool-templates.test.ts`. */
import { expect, it } from 'vitest'
import type { Deployment } from '../../api/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { act } from './act.ts'
import { decide } from './decide.ts'
import { deploymentOf, loadOf, poolOf, worldOf } from './fixtures.ts'

const refused = (message: string) =>
  taskmillError('TM_KUBE_INVALID', message, { details: { status: 422, causes: [{ field: 'spec.template', message }] } })

/** `others` holds the value of X beside the template; the API server refuses the mixture. */
function setup(answers: { readonly byItself?: unknown; readonly patch?: unknown; readonly patchTimes?: number } = {}) {
  const held = {
    'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"worker"}': { 'f:env': { 'k:{"name":"X"}': { '.': {} } } } } } } },
  }
  const object = deploymentOf(2, {}, 2)
  const live = {
    ...object,
    metadata: { ...object.metadata, managedFields: [{ manager: 'kubectl-set', operation: 'Update', fieldsV1: held }] },
  }
  const patches: Deployment['metadata'][] = []
  let failures = 0
  const client = {
    async apply(_: unknown, body: { readonly spec: object }, { dryRun }: { readonly dryRun?: boolean }) {
      if (dryRun === true && answers.byItself !== undefined) throw answers.byItself
      if (dryRun !== true && 'template' in body.spec && patches.length === 0) throw refused('may not be specified')
      return object
    },
    get: async () => live,
    async patch(_: unknown, { metadata }: Pick<Deployment, 'metadata'>) {
      if (answers.patch !== undefined && failures++ < (answers.patchTimes ?? Infinity)) throw answers.patch
      patches.push(metadata)
      return live
    },
  }
  const pool = poolOf({ template: { spec: { containers: [{ name: 'worker', image: 'acme:1', env: [{ name: 'X', valueFrom: {} }] }] } } })
  const world = worldOf({ pool, deployment: { kind: 'Owned', object }, signals: { kind: 'Read', queues: [loadOf({ waiting: 200 })] } })
  const deps = { client: client as never, signal: new AbortController().signal, onWritten: () => undefined }
  return { patches, run: () => act(deps, decide(world), world, undefined) }
}

it('takes over what others hold of an entry, when the template is right by itself', async () => {
  const { patches, run } = setup()
  const outcome = await run()
  expect(patches).toMatchObject([{ managedFields: [{ manager: 'taskmill-worker-pool', operation: 'Apply' }], resourceVersion: '10' }])
  expect(outcome.events.map(({ reason }) => reason)).toEqual(['FieldsTakenOver', 'ScaledUp'])
  expect(outcome).toMatchObject({ scaled: { from: 2, to: 4 }, applied: { uid: 'deployment-uid' } })
  expect(outcome.refusedTemplate).toBeUndefined()
})

it('takes over nothing for a template that is wrong by itself, and scales', async () => {
  const { patches, run } = setup({ byItself: refused('Unsupported value') })
  const outcome = await run()
  expect(patches).toEqual([])
  expect(outcome).toMatchObject({ scaled: { to: 4 }, refusedTemplate: { kind: 'Invalid', retry: 'OnEdit' } })
})

it('says what to do about the Deployment when nothing can be taken over, and scales', async () => {
  const { run } = setup({ patch: refused('metadata.managedFields') })
  const outcome = await run()
  expect(outcome).toMatchObject({ scaled: { to: 4 }, refusedTemplate: { kind: 'OwnedElsewhere', retry: 'Later' } })
  expect(outcome.refusedTemplate?.next).toMatch(/^delete Deployment "email"/u)
})

const conflict = taskmillError('TM_KUBE_CONFLICT', 'modified', { details: { status: 409 } })

it('decides anew what to take over when the Deployment has changed meanwhile', async () => {
  const { patches, run } = setup({ patch: conflict, patchTimes: 2 })
  expect(await run()).toMatchObject({ scaled: { to: 4 }, applied: { uid: 'deployment-uid' } })
  expect(patches).toHaveLength(1)
})

it('scales all the same while others always write faster, blames nobody, and tries again with the next look', async () => {
  const { patches, run } = setup({ patch: conflict })
  const outcome = await run()
  expect(outcome).toMatchObject({ scaled: { to: 4 } })
  expect([outcome.applied, outcome.refusedTemplate]).toEqual([undefined, undefined])
  expect(patches).toEqual([])
})

it.each([
  ['an API server that cannot be reached', taskmillError('TM_KUBE_UNAVAILABLE', 'connect ECONNREFUSED')],
  ['a lost lease', taskmillError('TM_LEASE_LOST', 'not sent')],
])('throws %s', async (_, error) => {
  await expect(setup({ patch: error }).run()).rejects.toBe(error)
})
