import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import type { KubeClient } from '../kube/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createClusterId } from './cluster-id.ts'

function setup(answers: readonly (string | Error)[]) {
  const clock = fakeClock()
  const asked: unknown[] = []
  const get = async (...[, namespace, name]: readonly unknown[]) => {
    const answer = answers[Math.min(asked.push([namespace, name]), answers.length) - 1]
    if (answer instanceof Error) throw answer
    return { metadata: { name, uid: answer } }
  }
  const id = createClusterId({ client: { get } as unknown as KubeClient, namespace: 'kube-system', clock, log: silentLogger })
  const stop = new AbortController()
  id.start(stop.signal)
  return { clock, asked, id, stop }
}

test('is the UID of the namespace', async () => {
  const { id, asked } = setup(['5f'])
  await id.synced
  expect([id.get(), asked]).toEqual(['5f', [[undefined, 'kube-system']]])
})

test('is requested again until the API server returns it', async () => {
  const { clock, id } = setup([taskmillError('TM_KUBE_FORBIDDEN', 'no'), taskmillError('TM_KUBE_UNAVAILABLE', 'away'), '5f'])
  await clock.advance(3_999)
  expect(() => id.get()).toThrow('not known yet')
  await clock.advance(1)
  await id.synced
  expect(id.get()).toBe('5f')
})

test('a stop ends the asking', async () => {
  const { clock, id, stop } = setup([taskmillError('TM_KUBE_FORBIDDEN', 'no')])
  await clock.advance(500)
  stop.abort(new Error('stopped'))
  await expect(id.synced).rejects.toThrow('stopped')
  expect(clock.pending()).toEqual([])
})
