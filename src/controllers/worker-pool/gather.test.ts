import { expect, it } from 'vitest'
import { deploymentOf } from './fixtures.ts'
import { wantingPods } from './gather.ts'

const pods = { namespace: 'acme', name: 'email', labelSelector: 'taskmill.dev/pool=email' }

it.each([
  { name: 'all are ready', deployment: deploymentOf(3, { readyReplicas: 3, updatedReplicas: 3 }), wanting: undefined },
  { name: 'none is wanted', deployment: deploymentOf(0), wanting: undefined },
  { name: 'one is not ready', deployment: deploymentOf(3, { readyReplicas: 2, updatedReplicas: 3 }), wanting: pods },
  { name: 'one is of an old template', deployment: deploymentOf(3, { readyReplicas: 3, updatedReplicas: 2 }), wanting: pods },
])('$name', ({ deployment, wanting }) => {
  expect(wantingPods(deployment)).toEqual(wanting)
})
