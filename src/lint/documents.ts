/**
 * Finds the objects in texts. Only texts that mention Taskmill are parsed, so that the other manifests of a repository
 * cost nothing.
 */
import { posix } from 'node:path'
import { apiGroup, kinds } from '../api/index.ts'
import type { Finding, Source } from './report.ts'
import { findTemplateBraces, findOffset, parseYaml, type YamlDocument } from './yaml.ts'

/** An object of any kind, as written in a text. */
export type Written = {
  readonly source: Source
  readonly value: Readonly<Record<string, unknown>>
  /** Returns the position of one of its fields. */
  at(field: string): Pick<Finding, 'line' | 'column'>
}

type Documents = { readonly written: readonly Written[]; readonly findings: readonly Finding[]; readonly skipped: number }

const names = kinds.map(({ kind }) => kind).join('|')
/** Does not match CRDs, which name the kinds too. */
const speaksOfTaskmill = new RegExp(
  `\\bapiVersion["']?\\s*:\\s*["']?${apiGroup.replaceAll('.', '\\.')}/|^kind\\s*:\\s*["']?(?:${names})\\b|"kind"\\s*:\\s*"(?:${names})"`,
  'mu',
)

export function parseDocuments(source: Source): Documents {
  const parts = partsOf(source.text)
  const ours = parts.filter(({ text }) => speaksOfTaskmill.test(text))
  const all = ours.map((part) => documentsIn(source, part))
  return {
    written: all.flatMap(({ written }) => written),
    findings: all.flatMap(({ findings }) => findings),
    skipped: parts.length - ours.length,
  }
}

type Part = { readonly text: string; readonly offset: number }

/** Splits a text at lines of dashes. Parts without content are dropped. */
function partsOf(text: string): readonly Part[] {
  const starts = [0, ...Array.from(text.matchAll(/^---(?=\s|$)/gmu), ({ index }) => index)]
  return starts
    .map((offset, index) => ({ text: text.slice(offset, starts[index + 1]), offset }))
    .filter((part) => /^(?!---|#|\s*$).*\S|^---[^\S\n]+[^#\s]/mu.test(part.text))
}

function documentsIn(source: Source, part: Part): Pick<Documents, 'written' | 'findings'> {
  const positionAt = (offset: number) => positionIn(source.text, part.offset + offset)
  const documents = parseYaml(part.text)
  const broken = documents.flatMap(({ errors }) => errors)[0]
  const braces = broken === undefined ? documents.map(findTemplateBraces).find((offset) => offset !== undefined) : undefined
  if (broken !== undefined || braces !== undefined) {
    const template = braces ?? templateAt(part.text)
    const finding: Omit<Finding, 'line' | 'column'> =
      template === undefined
        ? { path: source.path, severity: 'error', message: `is not YAML: ${wordsOf(broken?.message ?? '')}` }
        : {
            path: source.path,
            severity: source.isNamed ? 'error' : 'warning',
            message: 'is a template; only its rendered output can be checked. Next: helm template CHART | taskmill lint -',
          }
    return { written: [], findings: [{ ...finding, ...positionAt(template ?? broken?.pos[0] ?? 0) }] }
  }
  return {
    written: documents.flatMap((document) => objectsIn(source, document, positionAt)),
    findings: [],
  }
}

function wordsOf(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}

/** Finds braces outside of comments and quotes, as far as that is possible in a text that is not YAML. */
function templateAt(text: string): number | undefined {
  const found = /^(?![^\S\n]*#)[^'"\n]*?\{\{/mu.exec(text)
  return found === null ? undefined : found.index + found[0].length - 2
}

/** Returns the object, or the items of a List such as `kubectl get --output=yaml` prints. */
function objectsIn(
  source: Source,
  document: YamlDocument,
  positionAt: (offset: number) => Pick<Finding, 'line' | 'column'>,
): readonly Written[] {
  const value: unknown = document.toJS()
  if (!isObject(value)) return []
  const items = typeof value['kind'] === 'string' && value['kind'].endsWith('List') ? value['items'] : undefined
  const own = Array.isArray(items)
    ? items.map((item: unknown, index) => ({ item, steps: ['items', index] as const }))
    : [{ item: value as unknown, steps: [] as const }]
  return own.flatMap(({ item, steps }) =>
    isObject(item) ? [{ source, value: item, at: (field: string) => positionAt(findOffset(document, steps, field)) }] : [],
  )
}

function positionIn(text: string, offset: number): Pick<Finding, 'line' | 'column'> {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What a kustomization.yaml says about the files beside it. Its result is not computed here; kustomize can render it.
 */

type Kustomizations = {
  /** Files with parts of objects. */
  readonly patches: ReadonlySet<string>
  /** The namespace that kustomize sets on the objects of a file. */
  readonly namespaces: ReadonlyMap<string, string>
}

export function readKustomizations(sources: readonly Source[]): Kustomizations {
  const patches = new Set<string>()
  const namespaces = new Map<string, string>()
  for (const source of sources) {
    if (!/(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/u.test(source.path)) continue
    const { patches: own, patchesJson6902, patchesStrategicMerge, resources, namespace } = contentOf(source)
    const named = [...listOf(own), ...listOf(patchesJson6902)].map((each) => (isObject(each) ? each['path'] : undefined))
    for (const file of [...named, ...listOf(patchesStrategicMerge)]) add(file, (path) => patches.add(path))
    if (typeof namespace === 'string') for (const file of listOf(resources)) add(file, (path) => namespaces.set(path, namespace))

    function add(file: unknown, to: (path: string) => unknown): void {
      if (typeof file === 'string') to(posix.join(posix.dirname(source.path), file))
    }
  }
  return { patches, namespaces }
}

function contentOf({ text }: Source): Readonly<Record<string, unknown>> {
  const [document] = parseYaml(text)
  const value: unknown = document === undefined || document.errors.length > 0 ? undefined : document.toJS()
  return isObject(value) ? value : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
