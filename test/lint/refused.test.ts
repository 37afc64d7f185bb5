/** What is refused in a cluster, lint finds at the same field. That it is refused there is shown in test/integration. */
import { describe, expect, it } from 'vitest'
import { type JsonSchema, kinds } from '../../src/api/index.ts'
import { lint } from '../../src/lint/index.ts'
import { badValues } from '../integration/api-bad-values.ts'
import { kindCases } from '../integration/api-kinds/index.ts'
import { misunderstood, needCluster } from './misunderstood.ts'

/** The fields with errors, each of which stands where there is something to correct. */
function fieldsIn(text: string): readonly (string | undefined)[] {
  const { findings } = lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete: false })
  const lines = text.split('\n')
  for (const { line, column } of findings) expect(lines[line - 1]?.[column - 1]).toMatch(/\S/u)
  return findings.filter(({ severity }) => severity === 'error').map(({ field }) => field)
}

/** Rules that compare with what was there before, which lint does not know. */
const aboutChanges = kinds.flatMap(({ spec, status, rules = [] }) => [
  ...rules.filter(({ rule }) => rule.includes('oldSelf')).map(({ message }) => message),
  ...changeRules(spec.json),
  ...changeRules(status.json),
])

function changeRules(schema: JsonSchema): readonly string[] {
  const { 'x-kubernetes-validations': rules = [], properties = {}, items, additionalProperties } = schema
  const below = [...Object.values(properties), items, additionalProperties].filter((child) => child !== undefined)
  return [...rules.filter(({ rule }) => rule.includes('oldSelf')).map(({ message }) => message), ...below.flatMap(changeRules)]
}

describe('by the API server', () => {
  const bad = kindCases.flatMap(({ badManifests }) => badManifests)
  const ofNewObjects = bad.filter(({ answer }) => !aboutChanges.some((message) => answer.includes(message)))

  it('is everything but changes', () => {
    expect(bad.length - ofNewObjects.length).toBeLessThanOrEqual(aboutChanges.length)
    expect(ofNewObjects.length).toBeGreaterThan(aboutChanges.length)
  })

  it.each(ofNewObjects)('$title', ({ manifest, answer }) => {
    expect(fieldsIn(manifest)).toContain(answer.slice(0, answer.indexOf(': ')))
  })

  it.each(kindCases)('everything that a $kind.kind bounds', { timeout: 60_000 }, ({ kind, full }) => {
    for (const part of ['spec', 'status'] as const) {
      for (const { title, field, change } of badValues(kind[part].json, full[part], [part], 'skip')) {
        const changed = structuredClone(full)
        change(changed)
        expect(fieldsIn(JSON.stringify(changed)), title).toContain(field)
      }
    }
  })
})

describe('by a controller', () => {
  it.each(misunderstood)('$kind $reason', ({ manifest, field }) => {
    expect(fieldsIn(manifest)).toEqual([field])
  })

  it('is every reason of Stalled that the object alone gives', () => {
    const declared = kinds.flatMap(({ kind, conditions }) =>
      Object.keys(conditions['Stalled']?.reasons ?? {}).map((reason) => `${kind} ${reason}`),
    )
    const shown = [...misunderstood.map(({ kind, reason }) => `${kind} ${reason}`), ...needCluster]
    expect(new Set(shown)).toEqual(new Set(declared))
  })
})
