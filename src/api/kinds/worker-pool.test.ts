import { array, assert, constantFrom, property } from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { queueNamePattern } from '../../contract/index.ts'
import type { InferWritten } from '../schema/index.ts'
import { type WorkerPoolSpec, type WorkerPoolStatus, workerPool } from './worker-pool.ts'

describe('WorkerPool', () => {
  it('is read with its defaults', () => {
    expectTypeOf<WorkerPoolSpec['brokerRef']['name']>().toEqualTypeOf<string>()
    expectTypeOf<WorkerPoolSpec['scaling']['behavior']['scaleDown']['stabilizationWindowSeconds']>().toEqualTypeOf<number>()
    expectTypeOf<NonNullable<WorkerPoolSpec['template']>['spec']['containers'][number]['name']>().toEqualTypeOf<string>()
    expectTypeOf<WorkerPoolStatus['observedGeneration']>().toEqualTypeOf<number>()
    expectTypeOf<WorkerPoolStatus['backlog']>().toEqualTypeOf<number | undefined>()
  })

  it('is written with queues, and a template or a target, only', () => {
    const least: InferWritten<typeof workerPool.spec> = {
      queues: [{ name: 'email' }],
      template: { spec: { containers: [{ name: 'worker', image: 'app:1' }], terminationGracePeriodSeconds: 5 } },
    }
    const onTarget: InferWritten<typeof workerPool.spec> = { queues: [{ name: 'email' }], targetRef: { name: 'email-worker' } }
    expect([Object.keys(least), Object.keys(onTarget)]).toEqual([
      ['queues', 'template'],
      ['queues', 'targetRef'],
    ])
    expect(workerPool.spec.json.required).toEqual(['queues'])
  })

  it('admits the queue names that the workers admit', () => {
    const field = workerPool.spec.json.properties?.['queues']?.items?.properties?.['name']
    const pattern = new RegExp(field?.pattern ?? '', 'u')
    const admitted = (name: string): boolean => pattern.test(name) && Array.from(name).length <= (field?.maxLength ?? 0)
    const pieces = constantFrom(
      'a',
      'é',
      '.',
      ':',
      '{',
      '}',
      ',',
      ' ',
      '\t',
      '\n',
      '\u0000',
      '\u007f',
      '\u00a0',
      '\u2028',
      '-',
      '_',
      '/',
      '*',
    )
    assert(
      property(array(pieces, { maxLength: 6 }), (parts) => {
        expect([parts, admitted(parts.join(''))]).toEqual([parts, queueNamePattern.test(parts.join(''))])
      }),
    )
    expect(admitted('x'.repeat(128)) && queueNamePattern.test('x'.repeat(128))).toBe(true)
    expect(admitted('x'.repeat(129)) || queueNamePattern.test('x'.repeat(129))).toBe(false)
  })
})
