/**
 * Kubernetes' own definitions of pod templates, Jobs and metadata, as its OpenAPI publishes them. They are read when the
 * first template is judged. `hack/kubernetes-definitions.ts` writes the file.
 */
import { readFileSync } from 'node:fs'

export type Definition = {
  readonly $ref?: string
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly format?: string
  readonly enum?: readonly string[]
  readonly default?: string
  readonly required?: readonly string[]
  readonly properties?: { readonly [field: string]: Definition }
  readonly items?: Definition
  readonly additionalProperties?: Definition
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}

type Published = { readonly version: string; readonly definitions: Readonly<Record<string, Definition>> }

let published: Published | undefined

export function definitionOf(name: string): Definition {
  published ??= JSON.parse(readFileSync(new URL('definitions.json', import.meta.url), 'utf8')) as Published
  const definition = published.definitions[name]
  if (definition === undefined) throw new RangeError(`Kubernetes ${published.version} defines no ${name}`)
  return definition
}
