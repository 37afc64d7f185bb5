/** What is refused in a cluster, lint finds at the same field. That it is refused there is shown in test/integration. */
import { describe, expect, it } from 'vitest'
import { type JsonSchema, kinds } from '../../src/api/index.ts'
import { lint } from '../../src/lint/index.ts'
import { badValues } from '../integration/api-bad-values.ts'
import { kindCases } from '../integration/api-kinds/index.ts'
import { badSchedules, misunderstood, needCluster } from './misunderstood.ts'

/** The fields with errors, each of which stands where there is something to correct. */
function fieldsIn(text: string): readonly (string | undefined)[] {
  const { findings } = lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete: false })
  const lines = text.split('\n')
  for (const { line, column } of findings) expect(lines[line - 1]?.[column - 1]).toMatch(/\S/u)
  return findings.filter(({ severity }) => severity === 'error').map(({ field }) => field)
}

/** All that is said of a field. */
function messagesIn(text: string, wanted: string): string {
  const { findings } = lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete: false })
  return findings.flatMap(({ field, message }) => (field === wanted ? [message] : [])).join('\n')
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
    const field = answer.slice(0, answer.indexOf(': '))
    expect(fieldsIn(manifest)).toContain(field)
    // A rule says the same in both places.
    const [, rule] = /: Invalid value: "object": (.*)$/u.exec(answer) ?? []
    if (rule !== undefined) expect(messagesIn(manifest, field)).toContain(rule)
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

  it.each(badSchedules)('a TaskSchedule is told what to write instead: $field, $says', ({ manifest, field, says }) => {
    expect(messagesIn(manifest, field)).toContain(says)
  })

  it('is every reason of Stalled that the object alone gives', () => {
    const declared = kinds.flatMap(({ kind, conditions }) =>
      Object.keys(conditions['Stalled']?.reasons ?? {}).map((reason) => `${kind} ${reason}`),
    )
    const shown = [...misunderstood.map(({ kind, reason }) => `${kind} ${reason}`), ...needCluster]
    expect(new Set(shown)).toEqual(new Set(declared))
  })
})

it('there are manifests for everything that can be wrong with a TaskSchedule', () => {
  const ofSchedules = kindCases.filter(({ kind }) => kind.kind === 'TaskSchedule')
  const written = ofSchedules.reduce(
    (sum, { badManifests, words }) => sum + badManifests.length + words.reduce((all, { values }) => all + values.length, 0),
    0,
  )
  console.log(`${written} for the API server, besides its bounds, ${badSchedules.length} for lint and the controller`)
  expect(badSchedules.length + ofSchedules.flatMap(({ badManifests }) => badManifests).length).toBeGreaterThanOrEqual(60)
})
