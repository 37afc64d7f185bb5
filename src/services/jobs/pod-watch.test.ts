import { expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { describePodTrouble } from '../../workloads/index.ts'
import { createPodWatch } from './pod-watch.ts'

function setup(ageMs = 0, calmMs = 0) {
  const clock = fakeClock(Date.UTC(2026, 10, 23, 3))
  const asked: string[] = []
  const server = { failure: undefined as Error | undefined, status: {} }
  const client = {
    list: async (_: unknown, { labelSelector }: { labelSelector: string }) => {
      asked.push(labelSelector)
      if (server.failure !== undefined) throw server.failure
      return { items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {}, status: server.status }], resourceVersion: '1' }
    },
  }
  const watch = createPodWatch({ client: client as never, clock, describe: (pods) => describePodTrouble(pods), calmMs })
  const creationTimestamp = new Date(clock.now() - ageMs).toISOString()
  const wanting = { namespace: 'acme', name: 'email', labelSelector: 'taskmill.dev/pool=email', creationTimestamp }
  const look = (isAsWanted = false) =>
    watch.look('acme/email', isAsWanted ? undefined : wanting, { signal: new AbortController().signal, log: silentLogger })
  return { clock, asked, server, look }
}

it('asks for pods only after some seconds of trouble, every 5 s, and slower when it lasts', async () => {
  const { clock, asked, look } = setup()
  expect(await look(true)).toEqual({})
  expect(await look()).toEqual({ isUnknown: true, againAfterMs: 3_000 })
  await clock.advance(2_999)
  expect(await look()).toEqual({ isUnknown: true, againAfterMs: 1 })
  expect(asked).toEqual([])
  await clock.advance(1)
  expect(await look()).toEqual({ trouble: { unschedulable: 0 }, againAfterMs: 5_000 })
  // Whatever else makes the pool be looked at.
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000)
    await look()
  }
  expect(asked).toEqual(Array.from({ length: 3 }, () => 'taskmill.dev/pool=email'))
  await clock.advance(60_000)
  await look()
  expect(await look()).toMatchObject({ againAfterMs: 30_000 })

  // All is well in between: patience begins anew.
  await look(true)
  expect(await look()).toEqual({ isUnknown: true, againAfterMs: 3_000 })
})

it('unschedulable pods are listed every 5 s however long they wait, because scaling waits with them', async () => {
  const { clock, server, look } = setup()
  server.status = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }] }
  await look()
  await clock.advance(100_000)
  expect(await look()).toMatchObject({ trouble: { unschedulable: 1 }, againAfterMs: 5_000 })
})

it('pods that cannot be listed are no error, and what was found of them last stays', async () => {
  const { clock, server, look } = setup()
  server.failure = new Error('forbidden')
  await look()
  await clock.advance(3_000)
  expect(await look()).toEqual({ isUnknown: true, againAfterMs: 5_000 })
  server.failure = undefined
  await clock.advance(5_000)
  expect(await look()).toEqual({ trouble: { unschedulable: 0 }, againAfterMs: 5_000 })
  server.failure = new Error('forbidden')
  await clock.advance(5_000)
  expect(await look()).toEqual({ trouble: { unschedulable: 0 }, againAfterMs: 5_000 })
})

it('a process that starts looks at once at the pods of what is older than its patience, and at those of a later trouble after it', async () => {
  const { asked, look } = setup(10_000)
  expect(await look()).toEqual({ trouble: { unschedulable: 0 }, againAfterMs: 5_000 })
  await look(true)
  expect(await look()).toEqual({ isUnknown: true, againAfterMs: 3_000 })
  expect(asked).toHaveLength(1)
})

const failed = { phase: 'Failed', reason: 'Error' }
const pulling = { containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ImagePullBackOff' } } }] }

it('a failure that is retried stays until a try has run well for a minute', async () => {
  const { clock, server, look } = setup(0, 60_000)
  const words = async (isAsWanted = false) => (await look(isAsWanted)).trouble?.words
  server.status = failed
  await look()
  await clock.advance(3_000)
  const said = await words()
  expect(said).toContain('pod p: Error')
  // The next pod starts, runs, fails, and so on.
  for (let attempt = 0; attempt < 3; attempt++) {
    server.status = { phase: 'Running' }
    await clock.advance(10_000)
    expect([await words(), await words(true)]).toEqual([said, said])
    server.status = failed
    await clock.advance(40_000)
    expect(await words()).toBe(said)
  }
  await clock.advance(59_999)
  expect(await look(true)).toEqual({ trouble: expect.objectContaining({ words: said }), againAfterMs: 1 })
  await clock.advance(1)
  expect(await look(true)).toEqual({})
})

it('a pod that could not start is forgotten as soon as it runs, and another trouble takes the place of a failure at once', async () => {
  const { clock, server, look } = setup(0, 60_000)
  server.status = pulling
  await look()
  await clock.advance(3_000)
  expect((await look()).trouble?.reason).toBe('ImagePullBackOff')
  expect(await look(true)).toEqual({})
  server.status = failed
  await look()
  await clock.advance(3_000)
  expect((await look()).trouble?.reason).toBe('Error')
  server.status = pulling
  await clock.advance(5_000)
  expect((await look()).trouble?.reason).toBe('ImagePullBackOff')
})
