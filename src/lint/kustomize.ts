/** What a kustomization.yaml says of the files beside it. What it makes of them is not known here: kustomize can render it. */
import { posix } from 'node:path'
import { isObject } from './documents.ts'
import type { Source } from './finding.ts'
import { parseYaml } from './yaml.ts'

export type Kustomizations = {
  /** Files with parts of objects, which are none themselves. */
  readonly patches: ReadonlySet<string>
  /** The namespace that the objects of a file get. */
  readonly namespaces: ReadonlyMap<string, string>
}

export function kustomizationsAmong(sources: readonly Source[]): Kustomizations {
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
