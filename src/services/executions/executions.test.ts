import { expect, it } from 'vitest'
import type { TaskExecution } from '../../api/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { createExecutions, type ExecutionRef } from './executions.ts'

type Stored = { uid: string; resourceVersion: string; id: string; startTime?: string; state?: string; desiredState?: string }

/** An API server with at most one TaskExecution, called `a`. `refusal`: its answer to each creation. `interfere`: runs before each deletion. */
function world(first?: Partial<Stored>, { refusal, interfere }: { refusal?: unknown; interfere?: (there: Stored) => void } = {}) {
  let there: Stored | undefined = first && { uid: 'u1', resourceVersion: '1', id: 'ours', ...first }
  const asked: string[] = []
  const objectOf = ({ uid, resourceVersion, id, startTime, state, desiredState = 'Running' }: Stored) =>
    ({
      metadata: { namespace: 'acme', name: 'a', uid, resourceVersion, annotations: { id } },
      spec: { desiredState },
      status: { ...(startTime === undefined ? {} : { startTime }), ...(state === undefined ? {} : { state }) },
    }) as unknown as TaskExecution
  const client = {
    async get() {
      if (there === undefined) throw taskmillError('TM_KUBE_NOT_FOUND', 'not found')
      return objectOf(there)
    },
    async create() {
      asked.push('create')
      if (refusal !== undefined) throw refusal
      if (there !== undefined) throw taskmillError('TM_KUBE_ALREADY_EXISTS', 'already exists')
      there = { uid: 'u2', resourceVersion: '1', id: 'ours' }
    },
    async delete(_: unknown, __: unknown, ___: unknown, options: { preconditions: { resourceVersion: string } }) {
      asked.push('delete')
      if (there !== undefined) interfere?.(there)
      if (there?.resourceVersion !== options.preconditions.resourceVersion) throw taskmillError('TM_KUBE_CONFLICT', 'conflict')
      there = undefined
    },
    async apply(_: unknown, body: { spec: { desiredState: string } }, { fieldManager }: { fieldManager: string }) {
      asked.push(`apply by ${fieldManager}`)
      if (there !== undefined) there.desiredState = body.spec.desiredState
    },
  } as unknown as KubeClient
  const executions = createExecutions({
    client,
    namespace: 'acme',
    fieldManagers: { create: 'creator', cancel: 'canceller' },
    reachPoint: () => undefined,
  })
  return { executions, asked, there: () => there }
}

const ref: ExecutionRef = { name: 'a', of: 'node', isOurs: ({ metadata }) => metadata.annotations?.['id'] === 'ours' }
const call = { signal: new AbortController().signal }
const wanted = { metadata: { name: 'a' }, spec: { desiredState: 'Running' as const } }

it('is there once, whoever created it', async () => {
  const { executions, there } = world()
  expect(await executions.create(ref, wanted, call)).toEqual({ kind: 'There' })
  expect(await executions.create(ref, wanted, call)).toEqual({ kind: 'There' })
  expect(there()?.uid).toBe('u2')
})

it('is refused where another object has its name', async () => {
  expect(await world({ id: 'theirs' }).executions.create(ref, wanted, call)).toEqual({
    kind: 'Refused',
    message: 'tex/a exists, but does not belong to this node. Next: delete it',
  })
})

it.each([
  [
    'an object that is wrong',
    taskmillError('TM_KUBE_INVALID', 'invalid', { details: { status: 422, reason: 'Invalid', causes: [] } }),
    'Refused',
    undefined,
  ],
  [
    'a quota',
    taskmillError('TM_KUBE_FORBIDDEN', 'exceeded quota: few', { details: { status: 403, reason: 'Forbidden', causes: [] } }),
    'Postponed',
    true,
  ],
  [
    'an API server that has too much to do',
    taskmillError('TM_KUBE_UNAVAILABLE', 'busy', { details: { status: 429, reason: 'TooManyRequests', causes: [] } }),
    'Postponed',
    false,
  ],
] as const)('tells %s from the others', async (_, refusal, kind, isRefused) => {
  const answer = await world(undefined, { refusal }).executions.create(ref, wanted, call)
  expect(answer).toMatchObject({ kind, ...(isRefused === undefined ? {} : { isRefused }) })
})

it('is taken back until it has begun, also while its status is being written', async () => {
  const busy = world({}, { interfere: (there) => (there.resourceVersion === '1' ? (there.resourceVersion = '2') : undefined) })
  expect(await busy.executions.takeBack(ref, call)).toBe('Removed')
  expect(busy.asked).toEqual(['delete', 'delete'])
  const begun = world({ startTime: '2026-11-29T01:00:00Z' })
  expect([await begun.executions.takeBack(ref, call), begun.there()?.uid]).toEqual(['Started', 'u1'])
  expect(await world().executions.takeBack(ref, call)).toBe('Absent')
})

it.each([
  ['has not begun', {}, 'Removed', ['delete']],
  ['runs', { startTime: '2026-11-29T01:00:00Z', state: 'Running' }, 'Cancelled', ['apply by canceller']],
  ['has ended', { startTime: '2026-11-29T01:00:00Z', state: 'Succeeded' }, 'Ended', []],
  ['belongs to something else', { id: 'theirs' }, 'Absent', []],
] as const)('cancels one that %s', async (_, first, answer, requests) => {
  const { executions, asked } = world(first)
  expect([await executions.cancel(ref, call), asked]).toEqual([answer, requests])
})
