import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { breakingChanges, type Crd } from './breaking-changes.ts'
import { buildCrd, kinds, workerPool } from './index.ts'

/** What sounds like a break, and holds for every object that there can have been; why, a person has to say. */
const weighed: readonly string[] = [
  // There was no targetRef, and template was required.
  'spec: there is a new rule: has(self.template) != has(self.targetRef)',
  'spec: there is a new rule: !(has(self.brokerEnv) && has(self.targetRef))',
  'spec: there is a new rule: has(self.targetRef) == has(oldSelf.targetRef)',
  // A Deployment counts its pods in 32 bits.
  'status.replicas: the format is int32 now',
  'status.replicas: maximum was 9007199254740991, is 2147483647',
]

describe('since the last release', () => {
  it.each(readdirSync('test/compat/crds'))('%s broke nothing', (file) => {
    const released: Crd = parse(readFileSync(`test/compat/crds/${file}`, 'utf8'))
    const now = kinds.map(buildCrd).find(({ metadata }) => metadata.name === released.metadata.name)
    const breaks = now === undefined ? [`${file} is gone`] : breakingChanges(released, now)
    expect(breaks.filter((sentence) => !weighed.includes(sentence))).toEqual([])
  })
})

type Node = Record<string, unknown> & { properties: Record<string, Node>; items: Node }
type Change = (spec: Node, crd: Record<string, never> & { spec: Record<string, Node> }, status: Node) => void

const fields = (node: Node, ...names: readonly string[]): Node => names.reduce((own, name) => own.properties[name]!, node)

/** The CRD of a pool after a change by hand. */
function changed(change: Change): Crd {
  const crd = JSON.parse(JSON.stringify(buildCrd(workerPool)))
  const { properties } = crd.spec.versions[0].schema.openAPIV3Schema
  change(properties.spec, crd, properties.status)
  return crd
}

describe('breaking changes', () => {
  it.each<[string, Change]>([
    ['kind was WorkerPool', (_, crd) => (crd.spec['names']!['kind'] = 'Pool')],
    ['scope was Namespaced', (_, crd) => (crd.spec['scope'] = 'Cluster' as never)],
    ['the short name wp is gone', (_, crd) => (crd.spec['names']!['shortNames'] = [])],
    ['the category taskmill is gone', (_, crd) => (crd.spec['names']!['categories'] = [])],
    ['version v1alpha1 is no longer served', (_, crd) => (crd.spec['versions'] = [] as never)],
    ['version v1alpha1 no longer has a status subresource', (_, crd) => (Object(crd.spec['versions'])[0].subresources = {})],
    ['spec.concurrency: is gone', (spec) => delete spec.properties['concurrency']],
    ['status.backlog: is gone', (_, __, status) => delete status.properties['backlog']],
    ['spec: concurrency is required now', (spec) => (spec['required'] = ['queues', 'concurrency'])],
    ['spec.concurrency: was integer, is string', (spec) => (fields(spec, 'concurrency')['type'] = 'string')],
    ['spec.concurrency: the default was 1, is 2', (spec) => (fields(spec, 'concurrency')['default'] = 2)],
    ['spec.concurrency: the default was 1, is none', (spec) => delete fields(spec, 'concurrency')['default']],
    ['spec.concurrency: minimum was 1, is 2', (spec) => (fields(spec, 'concurrency')['minimum'] = 2)],
    ['spec.concurrency: maximum was 1000, is 999', (spec) => (fields(spec, 'concurrency')['maximum'] = 999)],
    ['spec.concurrency: the format is int64 now', (spec) => (fields(spec, 'concurrency')['format'] = 'int64')],
    ['spec.brokerRef.name: minLength was 1, is 2', (spec) => (fields(spec, 'brokerRef', 'name')['minLength'] = 2)],
    ['spec.brokerRef.name: maxLength was 63, is 62', (spec) => (fields(spec, 'brokerRef', 'name')['maxLength'] = 62)],
    ['spec.brokerRef.name: the pattern was ', (spec) => (fields(spec, 'brokerRef', 'name')['pattern'] = '^a$')],
    ['spec.brokerRef.name: only some values are admitted', (spec) => (fields(spec, 'brokerRef', 'name')['enum'] = ['default'])],
    [
      'status.conditions[].status: Unknown is no longer a choice',
      (_, __, status) => (fields(fields(status, 'conditions').items, 'status')['enum'] = ['True', 'False']),
    ],
    ['spec.queues: minItems was 1, is 2', (spec) => (fields(spec, 'queues')['minItems'] = 2)],
    ['spec.queues: maxItems was 100, is 99', (spec) => (fields(spec, 'queues')['maxItems'] = 99)],
    ['spec.queues: x-kubernetes-list-type was "map", is "set"', (spec) => (fields(spec, 'queues')['x-kubernetes-list-type'] = 'set')],
    ['spec.queues[].name: is gone', (spec) => delete fields(spec, 'queues').items.properties['name']],
    [
      'spec.template.metadata.labels: maxProperties was 64, is 63',
      (spec) => (fields(spec, 'template', 'metadata', 'labels')['maxProperties'] = 63),
    ],
    [
      'spec.template.metadata.labels.*: maxLength was 262144, is 63',
      (spec) => (Object(fields(spec, 'template', 'metadata', 'labels')['additionalProperties'])['maxLength'] = 63),
    ],
    ['spec.template: unknown fields are no longer kept', (spec) => delete fields(spec, 'template')['x-kubernetes-preserve-unknown-fields']],
    [
      'spec.template.spec: hostNetwork can no longer have any value',
      (spec) => (fields(spec, 'template', 'spec').properties['hostNetwork'] = { type: 'string' } as never),
    ],
    [
      'spec.scaling: there is a new rule: self.minReplicas > 0',
      (spec) => (fields(spec, 'scaling')['x-kubernetes-validations'] = [{ rule: 'self.minReplicas > 0', message: 'no' }]),
    ],
  ])('%s', (sentence, change) => {
    const found = breakingChanges(buildCrd(workerPool), changed(change))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(sentence)
  })
})

describe('compatible changes', () => {
  it.each<[string, Change]>([
    ['another description', (spec) => (fields(spec, 'concurrency')['description'] = 'Other words.')],
    ['a wider bound', (spec) => (fields(spec, 'concurrency')['maximum'] = 2000)],
    ['no pattern any more', (spec) => delete fields(spec, 'brokerRef', 'name')['pattern']],
    ['a rule less', (spec) => delete fields(spec, 'scaling')['x-kubernetes-validations']],
    ['an optional field more', (spec) => (spec.properties['more'] = { type: 'string', maxLength: 3 } as never)],
    [
      'a choice more',
      (_, __, status) => (fields(fields(status, 'conditions').items, 'status')['enum'] = ['True', 'False', 'Unknown', 'New']),
    ],
    ['a required field that became optional', (spec) => (spec['required'] = [])],
    [
      'an optional field more in a default',
      (spec) => {
        fields(spec, 'scaling').properties['more'] = { type: 'integer', default: 3 } as never
        Object(fields(spec, 'scaling')['default'])['more'] = 3
      },
    ],
    ['other columns', (_, crd) => (Object(crd.spec['versions'])[0].additionalPrinterColumns = [])],
    [
      'the order of a default',
      (spec) =>
        (fields(spec, 'scaling')['default'] = Object.fromEntries(Object.entries(Object(fields(spec, 'scaling')['default'])).toReversed())),
    ],
  ])('%s', (_, change) => {
    expect(breakingChanges(buildCrd(workerPool), changed(change))).toEqual([])
  })
})
