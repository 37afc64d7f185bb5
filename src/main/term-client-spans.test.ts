import { expect, test } from 'vitest'
import { leases } from '../api/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { Tracer } from '../observability/index.ts'
import { traced } from './term-client.ts'

test('each request is a span with its verb and resource, and answers as without', async () => {
  const spans: unknown[] = []
  const tracer: Tracer = {
    span(name, attributes, run) {
      spans.push([name, attributes])
      return run()
    },
  }
  const get = async (...asked: unknown[]) => asked
  const remove = () => Promise.reject(new Error('no'))
  const client = traced({ get, delete: remove, raw: async () => 'ok' } as unknown as KubeClient, tracer)
  expect(await client.get(leases, 'a', 'b')).toEqual([leases, 'a', 'b'])
  await expect(client.delete(leases, 'a', 'b')).rejects.toThrow('no')
  expect(await client.raw('/version')).toBe('ok')
  expect(spans).toEqual([
    ['kubernetes get', { 'k8s.resource': 'leases' }],
    ['kubernetes delete', { 'k8s.resource': 'leases' }],
  ])
})
