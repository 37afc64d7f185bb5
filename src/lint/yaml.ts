/** Reads YAML as kubectl does, with the position of everything. */
import { type Document, isAlias, isCollection, isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, type Tags } from 'yaml'

/** What kubectl's parser supports: booleans, octals and merge keys of YAML 1.1, but no times and no base-60 numbers. */
const kubectlTags = (tags: Tags): Tags => [
  ...tags.filter(
    (tag) => typeof tag !== 'object' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && !('format' in tag && tag.format === 'TIME')),
  ),
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    format: 'OCT',
    test: /^[-+]?0o[0-7_]+$/u,
    resolve: (text: string) => parseInt(text.replaceAll(/[o_]/gu, ''), 8),
  },
]

export type YamlDocument = Document.Parsed

/** Usually one document. YAML allows several in a text without a line of dashes between them. */
export function parseYaml(text: string): readonly YamlDocument[] {
  const documents = parseAllDocuments(text, { version: '1.1', merge: true, customTags: kubectlTags, prettyErrors: false })
  return 'empty' in documents ? [] : documents
}

/** Returns the offset of a field; for a missing field, that of the closest one above it. */
export function findOffset(document: YamlDocument, steps: readonly (string | number)[], field: string): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const step of steps) [node, offset] = childAt(document, node, String(step), offset)
  let rest = field
  while (rest !== '') {
    const step = nextStep(document, node, rest)
    if (step === undefined) return offset
    ;[node, offset] = childAt(document, node, step.name, offset)
    rest = step.rest
  }
  return offset
}

type Step = { readonly name: string; readonly rest: string }

/** Names can contain dots and brackets. The longest name that the document has is meant. */
function nextStep(document: YamlDocument, node: unknown, path: string): Step | undefined {
  const value = resolved(document, node)
  const names = isSeq(value) ? value.items.map((_, index) => String(index)) : isMap(value) ? value.items.map(keyOf) : []
  return names
    .flatMap((name) => {
      const written = [name, `.${name}`, `[${name}]`].find((each) => path.startsWith(each) && /^(?:$|[.[])/u.test(path.slice(each.length)))
      return written === undefined ? [] : [{ name, rest: path.slice(written.length) }]
    })
    .toSorted((a, b) => a.rest.length - b.rest.length)[0]
}

/** Returns the value under a name or index, and its offset; for a field, the offset of its name. */
function childAt(document: YamlDocument, node: unknown, name: string, otherwise: number): [unknown, number] {
  const value = resolved(document, node)
  if (isSeq(value)) {
    const item: unknown = value.items[Number(name)]
    return [item, startOf(item) ?? otherwise]
  }
  const pair = isMap(value) ? value.items.find((each) => keyOf(each) === name) : undefined
  return pair === undefined ? [undefined, otherwise] : [pair.value, startOf(pair.key) ?? otherwise]
}

function resolved(document: YamlDocument, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key)
}

function startOf(node: unknown): number | undefined {
  return (node as Node | undefined | null)?.range?.[0]
}

/** Finds a map as the name of a field: that is how YAML reads `{{ .Values.name }}`. */
export function findTemplateBraces(document: YamlDocument): number | undefined {
  return bracesIn(document.contents)
}

function bracesIn(node: unknown): number | undefined {
  if (isSeq(node)) return firstOf(node.items, bracesIn)
  if (!isMap(node)) return undefined
  return node.items.some(({ key }) => isCollection(key)) ? startOf(node) : firstOf(node.items, ({ value }) => bracesIn(value))
}

function firstOf<T>(items: readonly T[], find: (item: T) => number | undefined): number | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
