import { expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { deploymentOf, nowMs } from './fixtures.ts'
import { createPodWatch } from './pod-watch.ts'

function setup() {
  const clock = fakeClock(nowMs)
  const asked: string[] = []
  const server = { failure: undefined as Error | undefined, status: {} }
  const client = {
    list: async (_: unknown, { labelSelector }: { labelSelector: string }) => {
      asked.push(labelSelector)
      if (server.failure !== undefined) throw server.failure
      return { items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {}, status: server.status }], resourceVersion: '1' }
    },
  }
  const watch = createPodWatch({ client: client as never, clock })
  const look = (ready: number, wanted = 3) =>
    watch.look('acme/email', deploymentOf(wanted, { readyReplicas: ready, updatedReplicas: wanted }), {
      signal: new AbortController().signal,
      log: silentLogger,
    })
  return { clock, asked, server, look }
}

it('asks for pods only after some seconds of trouble, every 5 s, and slower when it lasts', async () => {
  const { clock, asked, look } = setup()
  expect(await look(3)).toEqual({})
  expect(await look(0, 0)).toEqual({})
  expect(await look(1)).toEqual({ againAfterMs: 3_000 })
  await clock.advance(2_999)
  expect(await look(1)).toEqual({ againAfterMs: 1 })
  expect(asked).toEqual([])
  await clock.advance(1)
  expect(await look(1)).toEqual({ trouble: { unschedulable: 0 }, againAfterMs: 5_000 })
  // Whatever else makes the pool be looked at.
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000)
    await look(1)
  }
  expect(asked).toEqual(Array.from({ length: 3 }, () => 'taskmill.dev/pool=email'))
  await clock.advance(60_000)
  await look(1)
  expect(await look(1)).toMatchObject({ againAfterMs: 30_000 })

  // All is well in between: patience begins anew.
  await look(3)
  expect(await look(1)).toEqual({ againAfterMs: 3_000 })
})

it('goes on looking quickly where pods wait for a node, because scaling waits with them', async () => {
  const { clock, server, look } = setup()
  server.status = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }] }
  await look(1)
  await clock.advance(100_000)
  expect(await look(1)).toMatchObject({ trouble: { unschedulable: 1 }, againAfterMs: 5_000 })
})

it('does without the pods when they cannot be listed', async () => {
  const { clock, server, look } = setup()
  server.failure = new Error('forbidden')
  await look(1)
  await clock.advance(3_000)
  expect(await look(1)).toEqual({ againAfterMs: 5_000 })
})
