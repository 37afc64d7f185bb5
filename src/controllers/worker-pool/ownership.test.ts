import { expect, it } from 'vitest'
import type { Deployment, WorkerPool } from '../../api/index.ts'
import { deploymentOf, poolOf, targetPool } from './fixtures.ts'
import { isLeftBy, poolsOf, selectorOf, findForeignOwner } from './deployment.ts'

type Owner = NonNullable<Deployment['metadata']['ownerReferences']>[number]

const named = (name: string, label?: string, owners: readonly Owner[] = [], written?: number): Deployment => {
  const { metadata, ...rest } = deploymentOf(1, {}, written)
  return {
    ...rest,
    metadata: { ...metadata, name, ownerReferences: owners, ...(label === undefined ? {} : { labels: { 'taskmill.dev/pool': label } }) },
  }
}
const ownerOf = (kind: string, name: string, uid: string): Owner => ({ apiVersion: 'x/v1', kind, name, uid, controller: true })
const byOther: WorkerPool = { ...targetPool(), metadata: { name: 'other', namespace: 'acme', uid: 'other-uid' } }

it.each<{ name: string; pool: WorkerPool; object: Deployment; others?: WorkerPool; want: string | undefined }>([
  { name: 'its own', pool: poolOf(), object: named('email', 'email', [ownerOf('WorkerPool', 'email', 'pool-uid')]), want: undefined },
  {
    name: 'of a pool of the same name that is gone',
    pool: poolOf(),
    object: named('email', 'email', [ownerOf('WorkerPool', 'email', 'old-uid')]),
    want: 'WorkerPool "email"',
  },
  { name: 'without an owner', pool: poolOf(), object: named('email'), want: 'an unknown owner' },
  { name: 'a free target', pool: targetPool(), object: named('theirs'), want: undefined },
  { name: 'a target that it has marked', pool: targetPool(), object: named('theirs', 'email'), want: undefined },
  {
    name: 'a target that something else controls',
    pool: targetPool(),
    object: named('theirs', undefined, [ownerOf('Rollout', 'r', 'u')]),
    want: undefined,
  },
  { name: 'a target of another pool', pool: targetPool(), object: named('theirs', 'other'), others: byOther, want: 'WorkerPool "other"' },
  { name: 'a target that another pool has left', pool: targetPool(), object: named('theirs', 'other'), want: undefined },
  {
    name: 'a target that a pool owns',
    pool: targetPool(),
    object: named('theirs', 'other', [ownerOf('WorkerPool', 'other', 'u')]),
    want: 'WorkerPool "other"',
  },
])('a Deployment: $name', ({ pool, object, others, want }) => {
  expect(findForeignOwner(object, pool, (name) => (name === others?.metadata.name ? others : undefined))).toBe(want)
})

it.each([
  { name: 'marked, and the pool is gone', object: named('theirs', 'email', [], 3), pool: undefined, want: true },
  { name: 'marked, and the pool has another target', object: named('old', 'email', [], 3), pool: targetPool(), want: true },
  { name: 'marked, and the target', object: named('theirs', 'email', [], 3), pool: targetPool(), want: false },
  { name: 'of another pool', object: named('theirs', 'other', [], 3), pool: undefined, want: false },
  { name: 'labelled by a user', object: named('theirs', 'email'), pool: undefined, want: false },
  { name: 'created by a pool', object: named('email', 'email', [ownerOf('WorkerPool', 'email', 'u')], 3), pool: undefined, want: false },
])('a Deployment that its pool has left: $name: $want', ({ object, pool, want }) => {
  expect(isLeftBy(object, 'email', pool)).toBe(want)
})

it('asks the pools that the label names and named', () => {
  expect(poolsOf(named('theirs', 'new'), named('theirs', 'old'))).toEqual(['acme/new', 'acme/old'])
  expect(poolsOf(named('theirs', 'same'), named('theirs', 'same'))).toEqual(['acme/same'])
  expect(poolsOf(named('theirs'), undefined)).toEqual([])
})

it('writes selectors as kubectl reads them', () => {
  const matchExpressions = [
    { key: 'b', operator: 'In', values: ['1', '2'] },
    { key: 'c', operator: 'NotIn', values: ['3'] },
    { key: 'd', operator: 'Exists' },
    { key: 'e', operator: 'DoesNotExist' },
  ] as const
  expect(selectorOf({ matchLabels: { a: 'x' }, matchExpressions })).toBe('a=x,b in (1,2),c notin (3),d,!e')
  expect(selectorOf({})).toBe('')
})
