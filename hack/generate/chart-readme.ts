import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml'

const start = '<!-- values: generated from values.yaml by `make generate` -->'
const end = '<!-- end of values -->'

/** The chart's README with a fresh table of values: one row per commented key of values.yaml. */
export function chartReadme(readme: string, valuesYaml: string): string {
  const [before, rest] = readme.split(start)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`charts/taskmill/README.md needs the lines ${start} and ${end}`)
  const rows = chartValues(valuesYaml).map(({ path, byDefault, meaning }) => `| \`${path}\` | \`${byDefault}\` | ${meaning} |`)
  return `${before}${start}\n| value | default | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n${end}${after}`
}

export type ChartValue = { readonly path: string; readonly byDefault: string; readonly meaning: string }

/** A key with a comment is a value, a map without one is a group of values, anything else was forgotten. */
export function chartValues(valuesYaml: string): readonly ChartValue[] {
  const { contents } = parseDocument(valuesYaml)
  if (!isMap(contents)) throw new Error('values.yaml is not a map')
  return valuesOf(contents, '')
}

function valuesOf(map: YAMLMap, prefix: string): readonly ChartValue[] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`${prefix}: a key that is not a word`)
    const path = `${prefix}${String(key.value)}`
    // The parser gives the comment above the first key of a map to the map.
    const meaning = lastParagraph(key.commentBefore ?? (index === 0 ? map.commentBefore : undefined))
    if (meaning !== '') return [{ path, byDefault: JSON.stringify(asJson(value)), meaning }]
    if (!isMap(value) || value.items.length === 0) throw new Error(`values.yaml: ${path} has no comment`)
    return valuesOf(value, `${path}.`)
  })
}

function lastParagraph(comment: string | null | undefined): string {
  const paragraph = (comment ?? '').split('\n\n').at(-1) ?? ''
  return paragraph
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .trim()
}

function asJson(value: unknown): unknown {
  return isMap(value) ? value.toJSON() : isScalar(value) ? value.value : JSON.parse(JSON.stringify(value))
}
