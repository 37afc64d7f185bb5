import { describe, expect, it } from 'vitest'
import { evaluateRule } from '../../expressions/index.ts'
import { createValidator, type Kind, taskBroker, withDefaults, workerPool } from '../index.ts'
import { integer, intOrString, list, listMap, map, object, optional, quantity, set, string, union } from '../schema/index.ts'

/** That all of this is what the API server says too is proved in test/integration/api-validator.test.ts. */
const validate = createValidator({ evaluateRule })

const container = { name: 'worker', image: 'app:1' }
const pool = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'WorkerPool',
  metadata: { name: 'email' },
  spec: { queues: [{ name: 'email' }], template: { spec: { containers: [container] } } },
}
const stored = withDefaults(workerPool, pool)
const withSpec = (spec: object): object => ({ ...pool, spec: { ...pool.spec, ...spec } })
const condition = { type: 'Ready', status: 'True', lastTransitionTime: '2026-11-23T08:00:00Z', reason: 'Connected', message: '' }

describe('withDefaults', () => {
  it('fills in at every depth and leaves the argument alone', () => {
    expect(stored.spec).toEqual({
      ...pool.spec,
      replicas: 0,
      brokerRef: { name: 'default' },
      concurrency: 1,
      scaling: {
        mode: 'Auto',
        minReplicas: 0,
        maxReplicas: 10,
        targetBacklogPerReplica: 10,
        behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
      },
      drainTimeoutSeconds: 30,
    })
    expect(stored.status).toEqual({ observedGeneration: -1 })
    expect(Object.keys(pool.spec)).toEqual(['queues', 'template'])
  })

  it('fills in beside what was written, and takes null for nothing', () => {
    const written = JSON.parse(JSON.stringify(withSpec({ concurrency: null, scaling: { maxReplicas: 3, behavior: {} } })))
    const { concurrency, scaling } = withDefaults(workerPool, written).spec
    expect(concurrency).toBe(1)
    expect(scaling).toMatchObject({ minReplicas: 0, maxReplicas: 3, behavior: { scaleDown: { stabilizationWindowSeconds: 300 } } })
  })

  it('keeps what is null where everything is kept', () => {
    const template = { metadata: { creationTimestamp: null }, spec: { containers: [container] } }
    expect(withDefaults(workerPool, { ...pool, spec: { ...pool.spec, template } }).spec.template).toEqual(template)
  })
})

describe('the validator', () => {
  it('admits what is good', () => {
    expect(validate(workerPool, pool)).toEqual([])
    expect(validate(workerPool, stored, stored)).toEqual([])
  })

  it.each<[object | string, path: string, message: string]>([
    ['no object', '', 'must be object, is string'],
    [{ ...pool, apiVersion: 'v1' }, 'apiVersion', 'must be taskmill.dev/v1alpha1'],
    [{ ...pool, kind: 'Pod' }, 'kind', 'must be WorkerPool'],
    [{ ...pool, metadata: {} }, 'metadata.name', 'is required'],
    [{ ...pool, metadata: { name: 'E_mail' } }, 'metadata.name', 'must be lower-case letters, digits, - and .'],
    [{ ...pool, metadata: { name: 'a'.repeat(64) } }, 'metadata.name', 'must have at most 63 characters'],
    [{ ...pool, metadata: { name: 'a', lables: {} } }, 'metadata.lables', 'is not a known field; see the reference'],
    [{ ...pool, spec: undefined }, 'spec', 'is required'],
    [withSpec({ queues: undefined }), 'spec.queues', 'is required'],
    [withSpec({ queues: [{}] }), 'spec.queues[0].name', 'is required'],
    [withSpec({ queues: [] }), 'spec.queues', 'must have at least 1 entries'],
    [withSpec({ queues: Array.from({ length: 101 }, (_, n) => ({ name: `q${n}` })) }), 'spec.queues', 'must have at most 100 entries'],
    [withSpec({ queues: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }), 'spec.queues[2]', 'is a duplicate: ["a"]'],
    [withSpec({ queues: [{ name: '' }] }), 'spec.queues[0].name', 'must have at least 1 characters'],
    [withSpec({ queues: [{ name: 'a:b' }] }), 'spec.queues[0].name', 'must match ^'],
    [withSpec({ queues: [{ name: '😀'.repeat(129) }] }), 'spec.queues[0].name', 'must have at most 128 characters'],
    [withSpec({ queues: [{ name: 'a', prio: 1 }] }), 'spec.queues[0].prio', 'is not a known field; see the reference'],
    [withSpec({ concurrency: '4' }), 'spec.concurrency', 'must be integer, is string'],
    [withSpec({ concurrency: 1.5 }), 'spec.concurrency', 'must be integer, is number'],
    [withSpec({ concurrency: 0 }), 'spec.concurrency', 'must be at least 1'],
    [withSpec({ concurrency: 1001 }), 'spec.concurrency', 'must be at most 1000'],
    [withSpec({ scaling: { minReplicas: 11 } }), 'spec.scaling.minReplicas', 'minReplicas must not exceed maxReplicas (default 10)'],
    [
      { ...pool, status: { conditions: [{ ...condition, status: 'Maybe' }] } },
      'status.conditions[0].status',
      'must be one of True, False, Unknown',
    ],
    [{ ...pool, status: { oldestJobTime: '2026-02-30T08:00:00Z' } }, 'status.oldestJobTime', 'must be a time such as 2026-11-23T08:00:00Z'],
  ])('%j is refused at %s', (bad, path, message) => {
    const problems = validate(workerPool, bad).filter((problem) => problem.path === path)
    expect(problems.map((problem) => problem.message).join()).toContain(message)
  })

  it('counts characters as people do', () => {
    expect(validate(workerPool, withSpec({ queues: [{ name: '😀'.repeat(128) }] }))).toEqual([])
  })

  it('refuses what cannot be changed, only when it is a change', () => {
    const moved = withSpec({ brokerRef: { name: 'other' } })
    expect(validate(workerPool, moved)).toEqual([])
    expect(validate(workerPool, moved, stored)).toEqual([{ path: 'spec.brokerRef', message: expect.stringContaining('cannot be changed') }])
    expect(validate(workerPool, { ...stored, spec: { ...stored.spec, brokerRef: undefined } }, moved)).toMatchObject([
      { path: 'spec.brokerRef' },
    ])
  })

  it('asks no rule about a value that no rule can be asked about', () => {
    const asked: string[] = []
    const spying = createValidator({ evaluateRule: (rule) => asked.push(rule) > 0 })
    spying(workerPool, withSpec({ concurrency: 'x', scaling: { minReplicas: 11 } }))
    expect(asked).toEqual([])
    spying(workerPool, withSpec({ concurrency: 0 }))
    expect(asked).toContain('self.minReplicas <= self.maxReplicas')
  })

  it('takes a rule that cannot be evaluated for broken, and says why', () => {
    const failing = createValidator({
      evaluateRule: () => {
        throw new Error('too costly')
      },
    })
    const broker = { ...pool, kind: 'TaskBroker', spec: { standalone: { address: 'redis:6379' } } }
    expect(failing(taskBroker, broker)).toEqual([
      { path: 'spec.standalone.address', message: expect.stringMatching(/host:port.*\(too costly\)/u) },
    ])
  })
})

describe('combinators that no kind uses yet', () => {
  const word = string({ description: 'A word.', maxLength: 5, rules: [{ rule: "self != 'no'", message: 'must not be no' }] })
  const example: Kind = {
    ...taskBroker,
    spec: object({
      description: 'An example.',
      fields: {
        share: intOrString({ description: 'Share.', minimum: 0, maximum: 9, maxLength: 4, pattern: '^[0-9]+%$', default: '25%' }),
        memory: optional(quantity({ description: 'Memory.' })),
        what: optional(union({ description: 'What.', members: { a: integer({ description: 'A.', minimum: 0, maximum: 1 }), b: word } })),
        tags: optional(set({ description: 'Tags.', items: string({ description: 'Tag.', maxLength: 3 }), maxItems: 3 })),
        lines: optional(list({ description: 'Lines.', items: string({ description: 'Line.', maxLength: 3 }), maxItems: 3 })),
        labels: optional(map({ description: 'Labels.', values: word, maxProperties: 2 })),
        steps: optional(
          listMap({
            description: 'Steps.',
            keys: ['name'],
            maxItems: 3,
            items: object({
              description: 'Step.',
              fields: { name: word, image: string({ description: 'Image.', maxLength: 9, immutable: 'fixed' }) },
            }),
          }),
        ),
      },
    }),
  }
  const of = (spec: object): object => ({ ...pool, kind: 'TaskBroker', spec })

  it.each<[spec: object, path: string, old?: object]>([
    [{ share: 10 }, 'spec.share'],
    [{ share: '10' }, 'spec.share'],
    [{ share: true }, 'spec.share'],
    [{ memory: '2 GB' }, 'spec.memory'],
    [{ what: {} }, 'spec.what'],
    [{ what: { a: 1, b: 'x' } }, 'spec.what'],
    [{ tags: ['a', 'b', 'a'] }, 'spec.tags[2]'],
    [{ lines: ['a', 'long'] }, 'spec.lines[1]'],
    [{ labels: { a: 'no' } }, 'spec.labels[a]'],
    [{ labels: { a: 'longer' } }, 'spec.labels.a'],
    [{ labels: { a: '1', b: '2', c: '3' } }, 'spec.labels'],
    [
      {
        steps: [
          { name: 'new', image: 'x' },
          { name: 'a', image: 'y' },
        ],
      },
      'spec.steps[1].image',
      { steps: [{ name: 'a', image: 'x' }] },
    ],
  ])('%j is refused at %s', (spec, path, old) => {
    const problems = validate(example, of(spec), old === undefined ? undefined : of(old))
    expect(problems.map((problem) => problem.path)).toEqual([path])
  })

  it.each<[object, old?: object]>([
    [{ share: 9, memory: 2, what: { a: 0 } }],
    [{ share: '100%', memory: '-1.5Gi', what: { b: 'x' } }],
    [{ memory: '1e3', tags: ['a', 'b'], lines: ['a', 'a'], labels: { a: 'yes' } }],
    [
      {
        steps: [
          { name: 'b', image: 'y' },
          { name: 'a', image: 'x' },
        ],
      },
      { steps: [{ name: 'a', image: 'x' }] },
    ],
  ])('%j is admitted', (spec, old) => {
    expect(validate(example, of(spec), old === undefined ? undefined : of(old))).toEqual([])
  })

  it('names the members of a union', () => {
    expect(validate(example, of({ what: {} }))).toEqual([{ path: 'spec.what', message: 'exactly one of a, b must be set' }])
  })
})
