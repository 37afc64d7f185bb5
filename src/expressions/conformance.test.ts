import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compile } from './index.ts'

/**
 * What is supported of CEL, line by line, in `conformance.tsv`. The results that are not marked as different are those
 * of Kubernetes 1.33 (the environment of its validation rules, with variables of dynamic type).
 */
const values = {
  a: 3,
  b: 3.5,
  items: [1, 2, 3],
  object: { s: 'x', n: null, 'key with spaces': 1, inner: [1, 2] },
  text: 'héé',
  flag: true,
  nothing: null,
}

type Section = { readonly name: string; readonly rows: readonly { readonly source: string; readonly want: string }[] }

const sections: readonly Section[] = readFileSync(new URL('conformance.tsv', import.meta.url), 'utf8')
  .split('\n## ')
  .slice(1)
  .map((section) => {
    const [name = '', ...lines] = section.split('\n').filter((line) => line !== '')
    const rows = lines.map((line) => {
      const [source = '', want = ''] = line.split('\t')
      return { source: source.replaceAll('⏎', '\n'), want }
    })
    return { name, rows }
  })

function resultOf(source: string): string {
  try {
    return JSON.stringify(compile(source, { variables: Object.keys(values) }).evaluate(values))
  } catch (error) {
    const { code } = error as { code: string }
    if (code === 'TM_EXPRESSION_INVALID') return 'invalid'
    return code === 'TM_EXPRESSION_FAILED' ? 'failed' : code
  }
}

describe.each(sections)('$name', ({ rows }) => {
  it.each(rows)('$source', ({ source, want }) => {
    expect(resultOf(source)).toBe(want)
  })
})

it('the page for users states how many cases each section has', () => {
  const page = readFileSync(new URL('../../docs/expressions.md', import.meta.url), 'utf8')
  const part = page.slice(page.indexOf('## What is supported'), page.indexOf('## Limits'))
  const stated = [...part.matchAll(/^\| (?<name>[^|]+?) \| (?<cases>\d+) \|/gmu)].map(({ groups }) => [
    groups?.['name'],
    Number(groups?.['cases']),
  ])
  expect(stated).toEqual(sections.map(({ name, rows }) => [name, rows.length]))
})
