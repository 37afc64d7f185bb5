/** Reads YAML as kubectl does, with the position of everything. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  type Tags,
  visit,
} from 'yaml'
import { errorMessage } from '../errors/index.ts'
import { isExact, rawNumber } from '../json/index.ts'

/** Types of YAML 1.1 for which kubectl has no counterpart; it reads the text, the map or the list behind the tag. */
const unknownToKubectl = ['timestamp', 'binary', 'set', 'omap', 'pairs'].map((name) => `tag:yaml.org,2002:${name}`)

/** What kubectl's parser supports: booleans, octals and merge keys of YAML 1.1, but no times and no base-60 numbers. */
const kubectlTags = (tags: Tags): Tags => [
  ...tags.filter((tag) => typeof tag !== 'object' || !(unknownToKubectl.includes(tag.tag) || ('format' in tag && tag.format === 'TIME'))),
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

type Value = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly offset: number; readonly message: string }

/** More values than any object has that the API server stores; aliases of aliases can stand for billions. */
const mostValues = 1_000_000

/**
 * Returns the JSON value of a document, with numbers that JavaScript cannot hold as they are written. An anchor may be
 * used any number of times, as long as the whole stays small.
 */
export function valueOf(document: YamlDocument): Value {
  const fault = findAliasFault(document) ?? keepNumbers(document)
  if (fault !== undefined) return { ok: false, ...fault }
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: -1 }) as unknown }
  } catch (error) {
    return { ok: false, offset: startOf(document.contents) ?? 0, message: errorMessage(error) }
  }
}

/** Replaces the values of numbers that are not exact. Returns the first that JSON does not have: .inf and .nan. */
function keepNumbers(document: YamlDocument): AliasFault | undefined {
  let fault: AliasFault | undefined
  visit(document, {
    Scalar(role, node) {
      if (typeof node.value !== 'number') return
      const written = (node.source ?? String(node.value)).replaceAll('_', '').replace(/^\+/u, '')
      const isDecimal = /^-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/iu.test(written)
      if (isDecimal ? isExact(written) : Number.isSafeInteger(node.value)) return
      if (!isDecimal && !Number.isFinite(node.value))
        fault ??= { offset: startOf(node) ?? 0, message: `${written} is not a number that JSON has; leave it out, or write text in quotes` }
      else if (role === 'key') node.value = written
      else node.value = rawNumber(isDecimal ? written : wholeText(written))
    },
  })
  return fault
}

/** Hexadecimal, octal or binary, as YAML 1.1 and 1.2 write them; kubectl hands them on in decimal. */
function wholeText(written: string): string {
  const digits = written.replace(/^-/u, '').replace(/^0(?=[0-7]+$)/u, '0o')
  return `${written.startsWith('-') ? '-' : ''}${BigInt(digits)}`
}

type AliasFault = { readonly offset: number; readonly message: string }

/** Follows the document in the order of its text, in which an alias means the last anchor of its name. */
function findAliasFault(document: YamlDocument): AliasFault | undefined {
  const anchors = new Map<string, { readonly node: Node; values: number | undefined }>()
  let fault: AliasFault | undefined
  const complain = (node: Node, message: string): number => {
    fault ??= { offset: startOf(node) ?? 0, message }
    return 1
  }
  const count = (node: unknown): number => {
    if (fault !== undefined || !isNode(node)) return 1
    if (isAlias(node)) {
      const anchor = anchors.get(node.source)
      if (anchor === undefined) return complain(node, `*${node.source} stands for nothing, because no anchor &${node.source} is before it`)
      return anchor.values ?? complain(node, `*${node.source} stands for a value that contains it`)
    }
    const anchored = node.anchor === undefined ? undefined : { node, values: undefined as number | undefined }
    if (anchored !== undefined) anchors.set(node.anchor ?? '', anchored)
    let values = 1
    if (isMap(node)) for (const { key, value } of node.items) values += count(key) + count(value)
    if (isSeq(node)) for (const item of node.items) values += count(item)
    if (anchored !== undefined) anchored.values = values
    return values > mostValues
      ? complain(node, `has more than ${mostValues.toLocaleString('en')} values once its aliases are filled in`)
      : values
  }
  count(document.contents)
  return fault
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
  const names = isSeq(value) ? value.items.map((_, index) => String(index)) : pairsOf(document, value).map(keyOf)
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
  const pair = pairsOf(document, value).find((each) => keyOf(each) === name)
  return pair === undefined ? [undefined, otherwise] : [pair.value, startOf(pair.key) ?? otherwise]
}

/** The fields of a map, its own before those that a merge key brings in. */
function pairsOf(document: YamlDocument, node: unknown): readonly Pair[] {
  const value = resolved(document, node)
  if (isSeq(value)) return value.items.flatMap((item) => pairsOf(document, item))
  if (!isMap(value)) return []
  const merged = value.items.filter((pair) => keyOf(pair) === '<<').flatMap((pair) => pairsOf(document, pair.value))
  return [...value.items, ...merged]
}

function resolved(document: YamlDocument, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

function keyOf({ key }: Pair): string {
  if (!isScalar(key)) return String(key)
  // The library's own mark for a merge key is a symbol.
  return typeof key.value === 'symbol' ? (key.value.description ?? '') : String(key.value)
}

function startOf(node: unknown): number | undefined {
  return (node as Node | undefined | null)?.range?.[0]
}

/** Finds the map around a name of a field that is no text. YAML reads `{{ .Values.name }}` so; JSON has no such names. */
export function findOddName(document: YamlDocument): number | undefined {
  return oddNameIn(document.contents)
}

function oddNameIn(node: unknown): number | undefined {
  if (isSeq(node)) return firstOf(node.items, oddNameIn)
  if (!isMap(node)) return undefined
  return node.items.some(({ key }) => isCollection(key)) ? startOf(node) : firstOf(node.items, ({ value }) => oddNameIn(value))
}

function firstOf<T>(items: readonly T[], find: (item: T) => number | undefined): number | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Finds the names of fields that YAML 1.1 takes for true or false: `on`, `y` and others. kubectl makes `true` and `false`
 * of them.
 */
export function findTruthNames(document: YamlDocument): readonly { readonly offset: number; readonly name: string }[] {
  return truthNamesIn(document.contents)
}

function truthNamesIn(node: unknown): readonly { readonly offset: number; readonly name: string }[] {
  if (isSeq(node)) return node.items.flatMap(truthNamesIn)
  if (!isMap(node)) return []
  return node.items.flatMap(({ key, value }) => {
    const isTruth = isScalar(key) && typeof key.value === 'boolean'
    return [...(isTruth ? [{ offset: startOf(key) ?? 0, name: key.source ?? String(key.value) }] : []), ...truthNamesIn(value)]
  })
}
