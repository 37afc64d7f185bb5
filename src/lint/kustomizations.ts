/**
 * What a kustomization.yaml says about the files beside it. Its result is not computed here; kustomize can render it.
 */
import { posix } from 'node:path'
import { isObject } from './documents.ts'
import type { Source } from './report.ts'
import { parseYaml, valueOf } from './yaml.ts'

type Kustomizations = {
  /** Files with parts of objects, as `slashed` writes their paths. */
  readonly patches: ReadonlySet<string>
  /** The namespace that kustomize sets on the objects of a file. */
  readonly namespaces: ReadonlyMap<string, string>
}

export function readKustomizations(sources: readonly Source[]): Kustomizations {
  const patches = new Set<string>()
  const namespaces = new Map<string, string>()
  for (const source of sources) {
    const at = slashed(source.path)
    if (!/(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/u.test(at)) continue
    const { patches: own, patchesJson6902, patchesStrategicMerge, resources, namespace } = contentOf(source)
    const named = [...listOf(own), ...listOf(patchesJson6902)].map((each) => (isObject(each) ? each['path'] : undefined))
    for (const file of [...named, ...listOf(patchesStrategicMerge)]) add(file, (path) => patches.add(path))
    if (typeof namespace === 'string') for (const file of listOf(resources)) add(file, (path) => namespaces.set(path, namespace))

    function add(file: unknown, to: (path: string) => unknown): void {
      if (typeof file === 'string') to(posix.join(posix.dirname(at), slashed(file)))
    }
  }
  return { patches, namespaces }
}

/** The path with the separators of URLs, also where Windows wrote it. */
export function slashed(path: string): string {
  return path.replaceAll('\\', '/')
}

function contentOf({ text }: Source): Readonly<Record<string, unknown>> {
  const [document] = parseYaml(text)
  const read = document === undefined || document.errors.length > 0 ? undefined : valueOf(document)
  return read?.ok === true && isObject(read.value) ? read.value : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
